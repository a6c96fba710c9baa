# SPDX-License-Identifier: GPL-2.0-or-later
"""Which entry decides: label boundaries, precedence, deadlines, modes. DESIGN section 4, "Names"."""
import message as dns
from book import BELOW, CLIENT, CLIENTS_ONLY, ENFORCE, IF_OBSERVE, OBSERVE, OFF, SECOND, SELF, WIRES

ALLOW = dns.Answer(dns.ALLOW)
REFUSED = dns.Answer(dns.REFUSE)
NULL = dns.Answer(dns.NULL)


def _boundaries(book):
    book.scene("label boundaries")
    book.own("example.com")
    book.own("deep.sub.example.org")
    book.own(dns.labels("a.b", "example"))
    book.image((dns.Answer(dns.NX, text="feed"), "example.net", "a.b.c.listed.example"))
    feed = dns.Answer(dns.NX, text="feed")
    for net in WIRES:
        for qname in ("example.com", "www.example.com", "a.b.c.d.e.example.com", "EXAMPLE.com", "WWW.eXaMpLe.CoM"):
            book.answered(net, dns.Query(qname), "%s is example.com or under it" % qname, dns.Answer(), "example.com")
        for qname in ("notexample.com", "example.co", "example.comx", "com", "example.org", "examplexcom",
                      "example.com.org", "sub.example.org", "eep.sub.example.org", "xdeep.sub.example.org", "."):
            book.asks(net, dns.Query(qname), "%s is under nothing listed" % qname, "pass_clean")
        for qname in ("example.net", "x.example.net", "EXAMPLE.NET"):
            book.answered(net, dns.Query(qname), "%s is in the list" % qname, feed, "example.net", number=1)
        for qname in ("notexample.net", "net", "b.c.listed.example", "xa.b.c.listed.example"):
            book.asks(net, dns.Query(qname), "%s is not in the list" % qname, "pass_clean")
        _octets(book, net)


def _octets(book, net):
    """Dots inside labels, letters that only look alike, octets above 127."""
    book.answered(net, dns.Query(dns.labels("A.B", "example")), "a label with a dot inside is itself", dns.Answer(),
                  dns.labels("A.B", "example"))
    book.asks(net, dns.Query("a.b.example"), "two labels are not one label with a dot", "pass_clean")
    book.asks(net, dns.Query(dns.labels("example.com")), "one label \"example.com\" is not a name of two", "pass_clean")
    for label in (b"ex\xc1mple", b"e\xd8ample", b"example\0", b"exampl", b"exa`ple", b"exam[le", b"\x07example"[:-1]):
        book.asks(net, dns.Query(dns.labels(label, "com")), "label %s is not example" % label.hex(), "pass_clean")


def _folding(book):
    """Of all octets only A to Z have a second face."""
    book.scene("folding")
    low, high = bytes(range(0x40, 0x7f)), bytes(range(0xc0, 0xdf))
    book.own(dns.labels(low, "one", "example"))
    book.own(dns.labels(high, "two", "example"))
    for net in WIRES:
        for at in range(len(low)):
            other = low[:at] + bytes([low[at] ^ 0x20]) + low[at + 1:]
            query, octet = dns.Query(dns.labels(other, "one", "example")), low[at]
            if chr(octet).isalpha():
                book.answered(net, query, "octet %02x is the letter %02x" % (octet ^ 0x20, octet), dns.Answer(),
                              query.qname)
            else:
                book.asks(net, query, "octet %02x is not %02x" % (octet ^ 0x20, octet), "pass_clean")
        query = dns.Query(dns.labels(bytes(c ^ 0x20 for c in high), "two", "example"))
        book.asks(net, query, "octets above 127 are not folded", "pass_clean")
        query = dns.Query(dns.labels(high, "two", "example"))
        book.answered(net, query, "twin: octets above 127 are themselves", dns.Answer(), query.qname)


def _precedence(book):
    book.scene("the operator's entries")
    book.own("example.com")
    book.own("good.example.com", ALLOW)
    book.own("refused.example.com", REFUSED)
    book.own("example.org", ALLOW)
    book.own("bad.example.org")
    book.own("wide.example")
    for net in WIRES:
        for qname in ("good.example.com", "x.good.example.com"):
            book.asks(net, dns.Query(qname), "%s: the operator's allow beats a wider block" % qname, "pass_allowed")
        for qname in ("bad.example.org", "x.bad.example.org", "example.org"):
            book.asks(net, dns.Query(qname), "%s: the operator's allow beats a deeper block" % qname, "pass_allowed")
        book.answered(net, dns.Query("x.refused.example.com"), "of two blocks the deeper one decides", REFUSED,
                      "refused.example.com")
        book.answered(net, dns.Query("ugood.example.com"), "twin: beside the allow the block holds", dns.Answer(),
                      "example.com")


def _lists(book):
    first, second = dns.Answer(dns.NX, text="first"), dns.Answer(dns.NULL, text="second", ede=17)
    exceptions = dns.Answer(dns.ALLOW, text="exceptions")
    book.scene("lists")
    book.image((first, "example.com", "both.example", "deep.x.allowed.example"),
               (second, "a.example.com", "both.example", "allowed.example", "own.example"),
               (exceptions, "x.allowed.example", "good.example.com"))
    book.own("block.allowed.example", REFUSED)
    book.own("own.example", REFUSED)
    book.own("a.example.com.own.example")
    book.own("allow.example", ALLOW)
    for net in WIRES:
        _lists_rows(book, net, first, second)
    book.scene("the operator's allow against lists")
    book.image((first, "example.com", "a.b.example"), (second, "deep.good.example"))
    book.own("www.example.com", ALLOW)
    book.own("example", ALLOW)
    for net in WIRES:
        book.asks(net, dns.Query("www.example.com"), "the operator's allow beats a list", "pass_allowed")
        book.asks(net, dns.Query("deep.good.example"), "the operator's allow beats a deeper list entry", "pass_allowed")
        book.answered(net, dns.Query("ww.example.com"), "twin: the list holds beside it", first, "example.com", number=1)


def _lists_rows(book, net, first, second):
    book.answered(net, dns.Query("example.com"), "a list's name", first, "example.com", number=1)
    book.answered(net, dns.Query("x.a.example.com"), "the most specific name wins over the list's order", second,
                  "a.example.com", number=2)
    book.answered(net, dns.Query("both.example"), "of one name in two lists the first list has it", first,
                  "both.example", number=1)
    book.answered(net, dns.Query("y.allowed.example"), "a list's block", second, "allowed.example", number=2)
    book.asks(net, dns.Query("y.x.allowed.example"), "a list's allow that is more specific", "pass_allowed")
    book.answered(net, dns.Query("deep.x.allowed.example"), "a list's block more specific than a list's allow", first,
                  "deep.x.allowed.example", number=1)
    book.asks(net, dns.Query("good.example.com"), "a list's exception under a list's block", "pass_allowed")
    book.answered(net, dns.Query("block.allowed.example"), "the operator's block beats a list", REFUSED,
                  "block.allowed.example")
    book.answered(net, dns.Query("own.example"), "the operator's block beats the same name in a list", REFUSED,
                  "own.example")
    book.asks(net, dns.Query("allow.example"), "the operator's allow of a name in no list", "pass_allowed")


def _scopes(book):
    """What an entry of the image covers: itself, what is below it, or both, each with its own answer."""
    feed, second = dns.Answer(dns.NX, text="feed"), dns.Answer(dns.REFUSE, text="second")
    nodata, allow = dns.Answer(dns.NODATA, text="feed"), dns.Answer(dns.ALLOW, text="feed")
    book.scene("scopes")
    book.image((feed, ("exact.example", SELF), ("below.example", BELOW), ("two.example", SELF),
                ("two.example", BELOW, nodata), ("a.two.example", SELF, allow), ("wide.example", BELOW, allow),
                ("deep.wide.example", SELF), ("x.y.exact.example", BELOW)),
               (second, "below.example", ("exact.example", BELOW)))
    for net in WIRES:
        book.answered(net, dns.Query("exact.example"), "an exact entry covers its name", feed, "exact.example", number=1)
        book.answered(net, dns.Query("a.exact.example"), "not what is below it, which another list has", second,
                      "exact.example", number=2)
        book.answered(net, dns.Query("q.x.y.exact.example"), "a deeper entry decides over it", feed, "x.y.exact.example",
                      number=1)
        book.answered(net, dns.Query("x.y.exact.example"), "an entry for what is below does not cover its own name",
                      second, "exact.example", number=2)
        book.answered(net, dns.Query("a.b.below.example"), "what is below, at any depth", feed, "below.example", number=1)
        book.answered(net, dns.Query("below.example"), "the name itself, which another list has", second, "below.example",
                      number=2)
        book.answered(net, dns.Query("two.example"), "of two answers at one name, the one for itself", feed, "two.example",
                      number=1)
        book.answered(net, dns.Query("b.two.example"), "and the one for what is below", nodata, "two.example", number=1)
        book.asks(net, dns.Query("a.two.example"), "an exact allow under a block", "pass_allowed")
        book.answered(net, dns.Query("b.a.two.example"), "twin: below it the block holds", nodata, "two.example", number=1)
        book.asks(net, dns.Query("b.wide.example"), "an allow of all that is below", "pass_allowed")
        book.asks(net, dns.Query("wide.example"), "twin: the name itself is not listed", "pass_clean")
        book.answered(net, dns.Query("deep.wide.example"), "an exact block under an allow", feed, "deep.wide.example",
                      number=1)
        book.asks(net, dns.Query("b.deep.wide.example"), "twin: below it the allow holds", "pass_allowed")
        book.asks(net, dns.Query("example"), "above all of them nothing is listed", "pass_clean")


def _own_beats_deeper_list(book):
    book.scene("the operator's wide block against deeper list entries")
    book.image((NULL, "a.example.com", "b.a.example.com"), (dns.Answer(dns.ALLOW, text="ok"), "ok.example.com"))
    book.own("example.com", REFUSED)
    for net in WIRES:
        for qname in ("a.example.com", "x.b.a.example.com", "ok.example.com"):
            book.answered(net, dns.Query(qname), "%s: the operator's block beats any list's entry" % qname, REFUSED,
                          "example.com")


def _deadlines(book):
    book.scene("deadlines")
    book.own("example.com", REFUSED)
    book.own("t.example.com", until=50 * SECOND)
    book.own("a.example.com", ALLOW, until=50 * SECOND)
    book.own("alone.example", until=50 * SECOND)
    for net in WIRES:
        book.at(50 * SECOND - 1)
        book.answered(net, dns.Query("x.t.example.com"), "a nanosecond before its deadline an entry holds",
                      dns.Answer(), "t.example.com")
        book.asks(net, dns.Query("a.example.com"), "a nanosecond before its deadline an allow holds", "pass_allowed")
        book.answered(net, dns.Query("alone.example"), "and so does an entry alone", dns.Answer(), "alone.example")
        book.at(50 * SECOND)
        book.answered(net, dns.Query("x.t.example.com"), "at its deadline the next wider entry decides", REFUSED,
                      "example.com")
        book.answered(net, dns.Query("a.example.com"), "at its deadline an allow is gone", REFUSED, "example.com")
        book.asks(net, dns.Query("alone.example"), "at its deadline an entry alone is gone", "pass_clean")


def _modes(book):
    for mode, title in ((OFF, "sinkhole off"), (OBSERVE, "sinkhole observes")):
        book.scene(title)
        book.set(sinkhole_mode=mode)
        book.own("example.com")
        book.own("drop.example.com", dns.Answer(dns.DROP))
        book.own("good.example.com", ALLOW)
        for net in WIRES:
            listed = "pass_clean" if mode == OFF else "pass_observed_sinkhole"
            for qname in ("example.com", "drop.example.com"):
                book.asks(net, dns.Query(qname), "%s passes" % qname, listed)
            book.asks(net, dns.Query("good.example.com"), "an allowed name",
                      "pass_clean" if mode == OFF else "pass_allowed")
            book.asks(net, dns.Query("example.net"), "twin: a name not listed is clean", "pass_clean")
    book.scene("a device that only observes")
    book.device(IF_OBSERVE)
    book.own("example.com")
    book.own("drop.example.com", dns.Answer(dns.DROP))
    for net in WIRES:
        for qname in ("example.com", "drop.example.com"):
            book.asks(net, dns.Query(qname), "%s passes though the sinkhole enforces" % qname, "pass_observed_sinkhole")
        book.asks(net, dns.Query("example.net"), "twin: a name not listed is clean", "pass_clean")


def _kinds(book):
    book.scene("entries that drop or only observe")
    book.own("drop.example", dns.Answer(dns.DROP))
    book.own("observe.example", dns.Answer(dns.OBSERVE))
    book.image((dns.Answer(dns.DROP, text="l1"), "drop.example.net"), (dns.Answer(dns.OBSERVE, text="l2"), "look.example.net"))
    for net in WIRES:
        book.asks(net, dns.Query("x.drop.example"), "answer drop", "drop_sinkhole", counts=[("answers", 0, dns.DROP, 1)])
        book.asks(net, dns.Query("drop.example.net"), "answer drop of a list", "drop_sinkhole",
                  counts=[("answers", 1, dns.DROP, 1)])
        for qname in ("observe.example", "look.example.net"):
            book.asks(net, dns.Query(qname), "%s is only observed" % qname, "pass_observed_sinkhole")


def write(book):
    for part in (_boundaries, _folding, _precedence, _lists, _scopes, _own_beats_deeper_list, _deadlines, _modes, _kinds):
        part(book)
