# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that are not ours, or that link, network and transport headers put out of reach: all pass untouched.

Every one carries a query for a blocked name, so that an error would show as an answer.
"""
import struct

import message as dns
import wire
from book import SECOND, WIRES

BLOCKED = dns.Query("blocked.example")
V6_SOURCE, V6_SERVER = wire.address("2001:db8:c:1::7"), wire.address("2001:db8:53::53")


def _twin(book, net, why):
    book.answered(net, BLOCKED, "twin: %s" % why, dns.Answer(), "blocked.example")


def _base(book, title):
    book.scene(title)
    book.own("blocked.example")


def _segment(net):
    return wire.udp_segment(wire.address(net.client), wire.address(net.server), 40053, 53, BLOCKED.wire)


def _packet(net, protocol=wire.UDP, body=None, **ip):
    body = _segment(net) if body is None else body
    return net.packet(wire.address(net.client), wire.address(net.server), protocol, body, **ip)


def _link(book):
    _base(book, "link")
    for net in WIRES:
        whole = net.udp(BLOCKED.wire)
        _twin(book, net, "a whole frame is answered")
        book.row("ARP is not DNS", net, net.frame(bytes(46), ether_type=wire.ETH_ARP), "pass_not_dns")
        other = wire.ETH_IPV6 if net.family == 4 else wire.ETH_IPV4
        book.row("the ether type of the other family is not DNS", net, net.frame(_packet(net), ether_type=other),
                 "pass_not_dns")
        for length in sorted({14, net.l3 - 1, net.l3, net.l3 + 1, net.l4 - 1, net.l4, net.l4 + 7}):
            if 14 <= length:
                book.row("a frame cut after %d octets is not DNS" % length, net, whole[:length], "pass_not_dns")
        three = wire.ethernet(wire.GUARD_MAC, wire.CLIENT_MAC, [(wire.ETH_VLAN, 5)] * 3, net.ether_type, _packet(net))
        book.row("three VLAN tags are one too many", net, three, "pass_not_dns")


def _network(book):
    _base(book, "network")
    for net in WIRES:
        book.row("an IP version that contradicts the ether type is not DNS", net,
                 net.frame(_packet(net, version=net.pick(6, 4))), "pass_not_dns")
        for protocol, label in ((1, "ICMP"), (58, "ICMPv6"), (132, "SCTP"), (47, "GRE"), (50, "ESP"), (136, "UDP-Lite")):
            book.row("%s is not DNS" % label, net, net.frame(_packet(net, protocol)), "pass_not_dns")
        if net.family == 4:
            _network_ipv4(book, net)
        else:
            _network_ipv6(book, net)


def _network_ipv4(book, net):
    _twin(book, net, "IPv4 with DF and no options is answered")
    for frag, what in ((0x2000, "a first fragment (MF)"), (0x2001, "a middle fragment"), (0x0001, "a last fragment"),
                       (0x1FFF, "the highest offset"), (0x6000, "MF beside DF")):
        book.row("IPv4: %s passes" % what, net, net.frame(_packet(net, frag=frag)), "pass_fragment")
    plain = net.frame(_packet(net, frag=0))
    reply = dns.sinkholed(BLOCKED, dns.Answer(), BLOCKED.qname, wire.address(net.client))
    book.row("twin: IPv4 without DF is answered", net, plain, "reply_sinkhole", out=net.answer(reply),
             counts=[("answers", 0, dns.NX, 1)])
    marked = net.frame(_packet(net, tos=0xB9, ttl=1))
    book.row("twin: DSCP, ECN and a TTL of 1 are no reason, and are not copied", net, marked, "reply_sinkhole",
             out=net.answer(reply), counts=[("answers", 0, dns.NX, 1)])
    for options in (b"\x01\x01\x01\x00", b"\x94\x04\x00\x00", bytes(40)):
        book.row("IPv4 with %d octets of options passes" % len(options), net, net.frame(_packet(net, options=options)),
                 "pass_ip_options")


EXTENSIONS = ((0, "hop-by-hop options"), (43, "a routing header"), (60, "destination options"),
              (135, "a mobility header"))


def _network_ipv6(book, net):
    _twin(book, net, "IPv6 with UDP as next header is answered")
    reply = dns.sinkholed(BLOCKED, dns.Answer(), BLOCKED.qname, wire.address(net.client))
    book.row("twin: traffic class, flow label and hop limit 1 are no reason, and are not copied", net,
             net.frame(_packet(net, flow=0xFF12345, hops=1)), "reply_sinkhole", out=net.answer(reply),
             counts=[("answers", 0, dns.NX, 1)])
    for number, what in EXTENSIONS:
        header = struct.pack("!BB6x", wire.UDP, 0)
        book.row("IPv6 with %s passes" % what, net, net.frame(_packet(net, number, header + _segment(net))),
                 "pass_ip_options")
    ah = struct.pack("!BBHII4x", wire.UDP, 2, 0, 1, 1)
    book.row("IPv6 with an authentication header passes", net, net.frame(_packet(net, 51, ah + _segment(net))),
             "pass_ip_options")
    for offset, what in ((1, "a first fragment"), (8, "a last fragment"), (0, "an atomic fragment (RFC 6946)")):
        header = struct.pack("!BBHI", wire.UDP, 0, offset, 77)
        book.row("IPv6: %s passes" % what, net, net.frame(_packet(net, 44, header + _segment(net))), "pass_fragment")
    book.row("IPv6 with no next header passes", net, net.frame(_packet(net, 59)), "pass_not_dns")


def _lengths(book):
    _base(book, "lengths")
    size = 8 + len(BLOCKED.wire)
    for net in WIRES:
        _twin(book, net, "true lengths are answered")
        for length, what in ((0, "0"), (7, "less than its header"), (size + 1, "one octet more than there is"),
                             (size + 60, "more than the frame has"), (65535, "65535")):
            book.row("UDP length %s passes" % what, net, net.udp(BLOCKED.wire, udp_length=length), "pass_bad_length")
        book.row("UDP length beyond the IP length, though within the frame, passes", net,
                 net.udp(BLOCKED.wire, udp_length=size + 10, pad=bytes(30)), "pass_bad_length")
        shorter = {"total": 20 + size - 1} if net.family == 4 else {"length": size - 1}
        book.row("an IP length shorter than the UDP length passes", net,
                 net.frame(_packet(net, **shorter)), "pass_bad_length")
        longer = {"total": 20 + size + 200} if net.family == 4 else {"length": size + 200}
        book.row("an IP length longer than the frame passes", net, net.frame(_packet(net, **longer)), "pass_bad_length")
        if net.family == 4:
            book.row("an IPv4 length below its own header passes", net, net.frame(_packet(net, total=19)),
                     "pass_bad_length")
        book.answered(net, BLOCKED, "twin: a frame padded behind the IP packet is answered without the padding",
                      dns.Answer(), "blocked.example", pad=b"\xa5" * 37)
        book.answered(net, BLOCKED, "twin: a long trailer is answered without it", dns.Answer(), "blocked.example",
                      pad=b"\x5a" * 900)


def _ports(book):
    _base(book, "ports")
    for net in WIRES:
        _twin(book, net, "port 53 is guarded")
        for port in (54, 5353, 853, 13568, 0):  # 13568 is 53 with its octets exchanged
            book.row("UDP port %d is not guarded" % port, net, net.udp(BLOCKED.wire, dport=port), "pass_not_dns")
        book.row("a resolver's own upstream answer (from port 53) is not ours", net,
                 net.udp(BLOCKED.wire, sport=53, dport=40053), "pass_not_dns")
        book.row("TCP port 54 is not guarded", net, net.tcp(dport=54), "pass_not_dns")
    _base(book, "four ports")
    book.say("ports", 5300, 53, 0, 853)
    for net in WIRES:
        for port in (5300, 53, 853):
            book.answered(net, BLOCKED, "port %d is guarded and answers from itself" % port, dns.Answer(),
                          "blocked.example", dport=port)
        for port in (0, 5301):
            book.row("port %d is not" % port, net, net.udp(BLOCKED.wire, dport=port), "pass_not_dns")


def _services(book):
    _base(book, "services")
    for address, flags in (("192.0.2.54", 3), ("2001:db8:53::54", 3), ("192.0.2.55", 2), ("2001:db8:53::55", 2)):
        book.say("service", address, flags)
    for net in WIRES:
        _twin(book, net, "a guarded address is served")
        for server in (net.pick("192.0.2.52", "2001:db8:53::52"), net.pick("192.0.2.55", "2001:db8:53::55"),
                       net.pick("255.255.255.255", "ff02::1"), net.pick("0.0.0.0", "::"),
                       net.pick("192.0.2.51", "::ffff:192.0.2.53")):
            book.row("%s is not a guarded address" % server, net, net.udp(BLOCKED.wire, dst=server),
                     "pass_not_service")
            book.row("nor is it over TCP: %s" % server, net, net.tcp(dst=server), "pass_not_service")
        book.answered(net, BLOCKED, "a second guarded address answers from itself", dns.Answer(), "blocked.example",
                      dst=net.pick("192.0.2.54", "2001:db8:53::54"))


def _pause(book):
    _base(book, "pause")
    book.set(paused_until_ns=100 * SECOND)
    for net in WIRES:
        book.at(100 * SECOND - 1)
        book.row("a paused guard passes", net, net.udp(BLOCKED.wire), "pass_paused")
        book.row("a paused guard passes TCP", net, net.tcp(), "pass_paused")
        book.row("what is not DNS keeps its label while paused", net, net.udp(BLOCKED.wire, dport=54), "pass_not_dns")
        book.at(100 * SECOND)
        _twin(book, net, "the pause is over on the nanosecond")


def write(book):
    for part in (_link, _network, _lengths, _ports, _services, _pause):
        part(book)
