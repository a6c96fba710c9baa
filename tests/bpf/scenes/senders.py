# SPDX-License-Identifier: GPL-2.0-or-later
"""Source policy: bans with their deadlines, exemptions, longest prefixes, modes."""
import message as dns
from book import ENFORCE, FOREVER, IF_OBSERVE, NO_SINKHOLE, OBSERVE, OBSERVED, OFF, PASSED, SECOND, WIRES

UNTIL = 70 * SECOND


def _policies(book):
    for prefix, flags, until in (("203.0.113.0/24", 0, UNTIL), ("2001:db8:bad::/48", 0, UNTIL),
                                 ("203.0.113.128/25", 0, 0), ("2001:db8:bad:8000::/49", 0, 0),
                                 ("203.0.113.200", 0, FOREVER), ("2001:db8:bad:8000::200", 0, FOREVER),
                                 ("192.168.0.0/16", NO_SINKHOLE, 0), ("fd00:1::/32", NO_SINKHOLE, 0),
                                 ("192.168.9.0/24", NO_SINKHOLE, UNTIL), ("fd00:1:9::/48", NO_SINKHOLE, UNTIL)):
        book.source(prefix, flags, until)


def _bans(book):
    book.scene("bans")
    _policies(book)
    book.own("example.com")
    for net in WIRES:
        banned, hole = net.pick("203.0.113.7", "2001:db8:bad::7"), net.pick("203.0.113.129", "2001:db8:bad:8000::7")
        forever, near = net.pick("203.0.113.200", "2001:db8:bad:8000::200"), net.pick("203.0.112.255", "2001:db8:bac:ffff::1")
        book.at(UNTIL - 1)
        book.asks(net, dns.Query("example.net"), "a banned sender", "drop_banned", src=banned)
        book.asks(net, dns.Query("example.com"), "a banned sender's listed name", "drop_banned", src=banned)
        book.row("a banned sender's TCP", net, net.tcp(src=banned), "drop_banned")
        book.row("a banned sender's noise to the guarded port", net, net.udp(b"", src=banned), "drop_banned")
        book.row("a banned sender's other traffic is not ours", net, net.udp(b"", src=banned, dport=54), "pass_not_dns")
        book.asks(net, dns.Query("example.net"), "twin: a neighbour of the banned prefix", "pass_clean", src=near)
        book.asks(net, dns.Query("example.net"), "a narrower prefix without the ban", "pass_clean", src=hole)
        book.asks(net, dns.Query("example.net"), "one address banned inside that", "drop_banned", src=forever)
        book.at(UNTIL)
        book.asks(net, dns.Query("example.net"), "at its deadline the ban is over", "pass_clean", src=banned)
        book.answered(net, dns.Query("example.com"), "and a listed name is answered again", dns.Answer(),
                      "example.com", src=banned)
        book.row("and TCP passes", net, net.tcp(src=banned, seq=len(net.tags)), "pass_tcp",
                 counts=[("syn", None, 0, 1), ("service", 0, 2, 1)])
        book.at(10**6 * SECOND)
        book.asks(net, dns.Query("example.net"), "a ban for good has no end", "drop_banned", src=forever)


def _exempt(book):
    book.scene("exemptions from the sinkhole")
    _policies(book)
    book.own("example.com")
    book.own("drop.example", dns.Answer(dns.DROP))
    book.own("good.example.com", dns.Answer(dns.ALLOW))
    for net in WIRES:
        free, both = net.pick("192.168.1.1", "fd00:1::1"), net.pick("192.168.9.9", "fd00:1:9::9")
        book.at(UNTIL - 1)
        book.asks(net, dns.Query("example.com"), "an exempt sender's listed name", "pass_exempt", src=free)
        book.asks(net, dns.Query("drop.example"), "an exempt sender's name to drop", "pass_exempt", src=free)
        book.asks(net, dns.Query("example.net"), "an exempt sender's clean name", "pass_clean", src=free)
        book.asks(net, dns.Query("example.com"), "exempt and banned is banned", "drop_banned", src=both)
        book.answered(net, dns.Query("example.com"), "twin: anybody else is answered", dns.Answer(), "example.com")
        book.at(UNTIL)
        book.asks(net, dns.Query("example.com"), "when the ban is over the exemption is left", "pass_exempt", src=both)


def _modes(book):
    for title, mode, device in (("bans observed", OBSERVE, 0), ("bans on a device that observes", ENFORCE, IF_OBSERVE),
                                ("bans off", OFF, 0), ("bans off on a device that observes", OFF, IF_OBSERVE)):
        book.scene(title)
        _policies(book)
        book.own("example.com")
        book.set(source_mode=mode)
        book.device(device)
        label = "pass_clean" if mode == OFF else "pass_observed_banned"
        for net in WIRES:
            banned = net.pick("203.0.113.7", "2001:db8:bad::7")
            book.asks(net, dns.Query("example.net"), "a banned sender passes", label, src=banned)
            book.asks(net, dns.Query("example.net"), "twin: another one is clean", "pass_clean")
            if device:
                continue
            book.answered(net, dns.Query("example.com"), "the sinkhole enforces all the same", dns.Answer(),
                          "example.com", src=banned)


def _observed_twice(book):
    """Of several protections that only observe, the first one on the walk gives the label."""
    book.scene("ban, limit and sinkhole observed at once")
    _policies(book)
    book.own("example.com")
    book.set(source_mode=OBSERVE, limit_mode=OBSERVE, sinkhole_mode=OBSERVE)
    book.rate(1, 1)
    for net in WIRES:
        book.at(book.now_ns + 3 * SECOND)
        banned, other = net.pick("203.0.113.7", "2001:db8:bad::7"), net.pick("198.51.100.9", "2001:db8:c:9::9")
        for source, first, second in ((banned, "pass_observed_banned", "pass_observed_banned"),
                                      (other, "pass_observed_sinkhole", "pass_observed_limited")):
            book.asks(net, dns.Query("example.com"), "from %s, within the limit" % source, first, src=source,
                      counts=[("limit", None, PASSED, 1)])
            book.asks(net, dns.Query("example.com"), "from %s, over the limit" % source, second, src=source,
                      counts=[("limit", None, OBSERVED, 1)])


def _full_prefixes(book):
    """A policy for everybody, and one for a single address within."""
    book.scene("prefixes of length 0")
    for prefix, until in (("0.0.0.0/0", FOREVER), ("::/0", FOREVER), ("198.51.100.7", 0), ("2001:db8:c:1::7", 0)):
        book.source(prefix, 0, until)
    for net in WIRES:
        book.asks(net, dns.Query("example.net"), "the one address is not banned", "pass_clean")
        book.asks(net, dns.Query("example.net"), "everybody else is", "drop_banned",
                  src=net.pick("198.51.100.6", "2001:db8:c:1::6"))


def write(book):
    for part in (_bans, _exempt, _modes, _observed_twice, _full_prefixes):
        part(book)
