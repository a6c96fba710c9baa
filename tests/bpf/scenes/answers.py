# SPDX-License-Identifier: GPL-2.0-or-later
"""What a listed name gets, of every kind and for every type; and when nothing may be answered. DESIGN section 6."""
import message as dns
import wire
from book import (CLIENT, CLIENTS_ONLY, COOKIE_PASS, COOKIE_SECRET, EDE_TEXT, IF_ANSWERS_OFF, OWN, SECOND, WIRES)

V4, V6 = wire.address("203.0.113.9"), wire.address("2001:db8:dead::9")
TYPES = (("A", dns.A), ("AAAA", dns.AAAA), ("TXT", dns.TXT), ("HTTPS", dns.HTTPS), ("SVCB", 64), ("ANY", dns.ANY),
         ("SOA", dns.SOA), ("NS", 2), ("MX", 15), ("AXFR", 252), ("TYPE0", 0), ("TYPE65535", 65535))
KINDS = {
    "nx": dns.Answer(dns.NX), "nodata": dns.Answer(dns.NODATA), "both": dns.Answer(dns.ADDRESS, v4=V4, v6=V6),
    "v4only": dns.Answer(dns.ADDRESS, v4=V4), "v6only": dns.Answer(dns.ADDRESS, v6=V6), "null": dns.Answer(dns.NULL),
    "refused": dns.Answer(dns.REFUSE), "truncate": dns.Answer(dns.TRUNCATE),
}
CLIENT_COOKIE = bytes.fromhex("2464c4abcf10c957")
SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")


def _kinds(book):
    book.scene("answers of the operator's entries")
    for label, answer in KINDS.items():
        book.own("%s.example" % label, answer)
    for net in WIRES:
        for label, answer in KINDS.items():
            for name, qtype in TYPES:
                book.answered(net, dns.Query("%s.example" % label, qtype), "%s, %s" % (label, name), answer,
                              "%s.example" % label)
                book.answered(net, dns.Query("www.%s.example" % label, qtype, edns={"do": True}, ident=qtype),
                              "%s, %s, below the entry, with OPT" % (label, name), answer, "%s.example" % label)


def _bits(book):
    book.scene("header bits")
    for label, answer in KINDS.items():
        book.own("%s.example" % label, answer)
    for net in WIRES:
        for label, answer in KINDS.items():
            for flags, what in ((0, "neither RD nor CD"), (dns.RD, "RD"), (dns.CD, "CD"),
                                (dns.RD | dns.CD | dns.AD | dns.AA | dns.TC | dns.RA | 0x40, "every bit set")):
                book.answered(net, dns.Query("%s.example" % label, flags=flags), "%s: %s" % (label, what), answer,
                              "%s.example" % label)


def _ede(book):
    book.scene("extended errors")
    texts = {"e15": dns.Answer(text="a list"), "e16": dns.Answer(ede=16, text="x" * 32), "e17": dns.Answer(ede=17, text=""),
             "none": dns.Answer(no_ede=True), "null": dns.Answer(dns.NULL, ede=17, text="n"),
             "refused": dns.Answer(dns.REFUSE, ede=16, text="r" * 31)}
    for label, answer in texts.items():
        book.own("%s.example" % label, answer)
    book.image((dns.Answer(text="odd\\name \"quoted\""), "feed.example"))
    for net in WIRES:
        for label, answer in texts.items():
            book.answered(net, dns.Query("%s.example" % label, edns={}), "%s with OPT has its EDE" % label, answer,
                          "%s.example" % label)
            book.answered(net, dns.Query("%s.example" % label), "%s without OPT has none" % label, answer,
                          "%s.example" % label)
        book.answered(net, dns.Query("feed.example", edns={}), "the list's name is the text",
                      dns.Answer(text="odd\\name \"quoted\""), "feed.example", number=1)
    book.set(flags=0)
    book.rules.ede_text = False
    for net in WIRES:
        for label, answer in texts.items():
            book.answered(net, dns.Query("%s.example" % label, edns={}), "text switched off: %s" % label, answer,
                          "%s.example" % label)


def _ttl(book):
    book.scene("times to live")
    book.own("nx.example")
    book.own("null.example", dns.Answer(dns.NULL))
    for negative, address in ((5, 3600), (0, 0), (2147483647, 86400)):
        book.set(negative_ttl=negative, address_ttl=address)
        book.rules.negative_ttl, book.rules.address_ttl = negative, address
        for net in WIRES:
            book.answered(net, dns.Query("nx.example"), "SOA TTL and MINIMUM are %d" % negative, dns.Answer(), "nx.example")
            book.answered(net, dns.Query("null.example"), "the address's TTL is %d" % address, dns.Answer(dns.NULL),
                          "null.example")
            book.answered(net, dns.Query("null.example", dns.TXT), "NODATA of an address entry has the negative TTL",
                          dns.Answer(dns.NULL), "null.example")


def _sizes(book):
    """Names of every length modulo 8, so that every tail of the checksum is walked; the smallest frames."""
    book.scene("sizes and checksums")
    book.own("x", dns.Answer(dns.REFUSE))
    book.own("n", dns.Answer(dns.NX, text="t" * 32))
    for net in WIRES:
        for length in (*range(1, 26), 61, 62, 63):
            qname = dns.labels("q" * length, "x")
            book.answered(net, dns.Query(qname), "a label of %d octets, refused" % length, dns.Answer(dns.REFUSE), "x")
        for ident in (0, 0x5555, 0xAAAA, 0xFFFF):
            book.answered(net, dns.Query("n", ident=ident, edns={}), "ID %04x" % ident, dns.Answer(dns.NX, text="t" * 32), "n")
        longest = dns.labels("y" * 63, "z" * 63, "w" * 63, "v" * 59, "n")
        book.answered(net, dns.Query(longest, edns={"size": 512}), "the longest answer stays within 512 octets",
                      dns.Answer(dns.NX, text="t" * 32), "n")
        for check in (0, 1, 0x1234, 0xFFFF):
            book.answered(net, dns.Query("a.x"), "received checksum %04x is not built upon" % check,
                          dns.Answer(dns.REFUSE), "x", udp_check=check)
        for size in (1, 60, 300, 1200, 2800):
            book.answered(net, dns.Query("a.x", edns={"options": [(12, b"\xee" * size)]}),
                          "%d octets of padding option are not echoed" % size, dns.Answer(dns.REFUSE), "x")
        _checksum_zero(book, net)


def _checksum_zero(book, net):
    """An answer whose checksum comes out as 0 must be sent as ffff (RFC 768): look for the ID that does it."""
    client, server = wire.address(net.client), wire.address(net.server)
    for ident in range(65536):
        query = dns.Query("zero.x", ident=ident)
        reply = dns.sinkholed(query, dns.Answer(dns.REFUSE), dns.name("x"), client)
        head = wire.udp_segment(server, client, 53, 40053, reply)[:6] + b"\0\0"
        if wire.checksum(wire.pseudo_header(server, client, wire.UDP, 8 + len(reply)) + head + reply) == 0:
            book.answered(net, query, "a checksum of 0 is sent as ffff", dns.Answer(dns.REFUSE), "x")
            return
    raise AssertionError("no ID gives a checksum of 0")


def _cookie_queries():
    yield {"options": [(10, CLIENT_COOKIE)]}, "a client cookie"
    yield {"options": [(10, CLIENT_COOKIE + bytes(range(8)))]}, "a short server cookie"
    yield {"options": [(10, CLIENT_COOKIE + bytes(range(16)))], "do": True}, "a server cookie of 16 octets"
    yield {"options": [(10, CLIENT_COOKIE + bytes(32))]}, "a server cookie of 32 octets"
    yield {"options": [(3, b""), (12, bytes(7)), (10, CLIENT_COOKIE)]}, "a client cookie at an odd offset"


def _cookies(book):
    book.scene("cookies with the resolver's secret")
    book.own("example.com")
    book.own("null.example", dns.Answer(dns.NULL))
    book.say("secret", SECRET.hex())
    book.set(flags=EDE_TEXT | COOKIE_SECRET)
    book.rules.secret = SECRET
    for now in (SECOND, 59731985 * SECOND + 999999999):
        book.at(now)
        for net in WIRES:
            for edns, what in _cookie_queries():
                for qname, answer in (("example.com", dns.Answer()), ("null.example", dns.Answer(dns.NULL))):
                    book.answered(net, dns.Query(qname, edns=edns), "%s: %s gets a fresh server cookie" % (qname, what),
                                  answer, qname)
            book.answered(net, dns.Query("example.com", edns={}), "no cookie, no cookie", dns.Answer(), "example.com")
            other = net.pick("203.0.113.200", "2001:db8:ffff::1234")
            book.answered(net, dns.Query("example.com", edns={"options": [(10, CLIENT_COOKIE)]}),
                          "another client's cookie differs", dns.Answer(), "example.com", src=other)
    book.set(flags=EDE_TEXT | COOKIE_SECRET | COOKIE_PASS)
    for net in WIRES:
        book.answered(net, dns.Query("example.com", edns={"options": [(10, CLIENT_COOKIE + bytes(16))]}),
                      "with the secret a server cookie is never left to the resolver", dns.Answer(), "example.com")
    _cookies_without(book)


def _cookies_without(book):
    book.scene("cookies without a secret")
    book.own("example.com")
    book.own("drop.example", dns.Answer(dns.DROP))
    for net in WIRES:
        for edns, what in _cookie_queries():
            book.answered(net, dns.Query("example.com", edns=edns), "%s: the answer has none" % what, dns.Answer(),
                          "example.com")
    book.set(flags=EDE_TEXT | COOKIE_PASS)
    for net in WIRES:
        for edns, what in _cookie_queries():
            if len(dict(edns["options"])[10]) > 8:
                book.asks(net, dns.Query("example.com", edns=edns), "%s is left to the resolver" % what, "pass_cookie")
                book.asks(net, dns.Query("example.net", edns=edns), "twin: %s and a clean name" % what, "pass_clean")
            else:
                book.answered(net, dns.Query("example.com", edns=edns), "twin: %s is not" % what, dns.Answer(),
                              "example.com")


def _macs(book):
    book.scene("whose frame")
    book.own("example.com")
    book.device(0, wire.mac(wire.VIRTUAL_MAC))
    query = dns.Query("example.com")
    for net in WIRES:
        for own in (wire.GUARD_MAC, wire.VIRTUAL_MAC):
            book.answered(net, query, "sent to %s" % own, dns.Answer(), "example.com", dst_mac=own)
        for other in (wire.OTHER_MAC, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "00:00:00:00:00:00", "03:00:00:00:00:53",
                      "02:00:00:00:00:52", "12:00:00:00:00:53"):
            book.asks(net, query, "sent to %s" % other, "pass_other_host", dst_mac=other)
            book.asks(net, dns.Query("example.net"), "twin: a clean name to %s" % other, "pass_clean", dst_mac=other)


BAD_SOURCES = (("224.0.0.1", "ff02::1"), ("239.255.255.255", "ff0e::5"), ("255.255.255.255", "ffff::"),
               ("0.0.0.0", "::"), ("127.0.0.1", "::1"), ("192.0.2.53", "2001:db8:53::53"),
               ("192.0.2.99", "2001:db8:53::99"), ("127.1.2.3", "::ffff:198.51.100.7"), ("0.1.2.3", "::198.51.100.7"))


def _sources(book):
    book.scene("senders that must not be answered")
    book.own("example.com")
    for own in ("192.0.2.99", "2001:db8:53::99"):
        book.say("service", own, OWN)
    query = dns.Query("example.com")
    for net in WIRES:
        for pair in BAD_SOURCES:
            book.asks(net, query, "from %s" % net.pick(*pair), "pass_bad_source", src=net.pick(*pair))
        book.asks(net, query, "from port 0", "pass_bad_source", sport=0)
        for source in (net.pick("192.0.2.98", "2001:db8:53::98"), net.pick("223.255.255.254", "fe80::1"),
                       net.pick("10.0.0.1", "fd00::1"), net.pick("1.0.0.1", "1::1")):
            book.answered(net, query, "twin: from %s" % source, dns.Answer(), "example.com", src=source)
        for port in (1, 53, 65535):
            book.answered(net, query, "twin: from port %d" % port, dns.Answer(), "example.com", sport=port)


def _clients(book):
    for title, configured in (("client prefixes configured", True), ("client prefixes not configured", False)):
        book.scene(title)
        book.own("example.com")
        book.set(flags=EDE_TEXT | (CLIENTS_ONLY if configured else 0))
        for prefix in ("198.51.100.0/24", "2001:db8:c::/48"):
            book.source(prefix, CLIENT)
        for net in WIRES:
            query, outside = dns.Query("example.com"), net.pick("198.51.101.7", "2001:db8:d::7")
            book.answered(net, query, "a client is answered", dns.Answer(), "example.com")
            if configured:
                book.asks(net, query, "a stranger is not", "pass_not_client", src=outside)
                book.asks(net, dns.Query("example.net"), "twin: a stranger's clean name", "pass_clean", src=outside)
            else:
                book.answered(net, query, "so is anybody", dns.Answer(), "example.com", src=outside)
    book.scene("client prefixes wanted, none given")
    book.own("example.com")
    book.set(flags=EDE_TEXT | CLIENTS_ONLY)
    for net in WIRES:
        book.asks(net, dns.Query("example.com"), "nobody is a client", "pass_not_client")


def _answers_off(book):
    book.scene("a device whose answers are off")
    book.own("example.com")
    book.own("drop.example", dns.Answer(dns.DROP))
    book.device(IF_ANSWERS_OFF)
    for net in WIRES:
        book.asks(net, dns.Query("example.com"), "a listed name is left to the resolver", "pass_answers_off")
        book.asks(net, dns.Query("example.net"), "twin: a clean name", "pass_clean")
        book.asks(net, dns.Query("drop.example"), "twin: a drop sends nothing and still drops", "drop_sinkhole",
                  counts=[("answers", 0, dns.DROP, 1)])


def write(book):
    for part in (_kinds, _bits, _ede, _ttl, _sizes, _cookies, _macs, _sources, _clients, _answers_off):
        part(book)
