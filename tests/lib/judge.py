# SPDX-License-Identifier: GPL-2.0-or-later
"""Is this frame an honest answer to that one? Takes both apart octet by octet, then asks dnspython.

Knows the rules that hold for every answer, whatever was listed: DESIGN section 6.
"""
import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdataclass
import dns.rdatatype

import wire


class Taken:
    """A frame taken apart. Raises AssertionError where it is not whole."""

    def __init__(self, frame):
        self.frame, at, self.tags = frame, 12, []
        while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
            self.tags.append(frame[at : at + 4])
            at += 4
        self.dst_mac, self.src_mac, self.ether_type = frame[:6], frame[6:12], frame[at : at + 2]
        self.l3 = at + 2
        if self.ether_type == b"\x08\x00":
            self._ipv4(frame[self.l3 :])
        else:
            assert self.ether_type == b"\x86\xdd", "neither IPv4 nor IPv6"
            self._ipv6(frame[self.l3 :])
        self.sport, self.dport, self.udp_length, self.udp_check = struct.unpack_from("!HHHH", frame, self.l4)
        self.payload = frame[self.l4 + 8 : self.l4 + self.udp_length]
        self.rest = frame[self.l4 + self.udp_length :]

    def _ipv4(self, head):
        self.family, self.l4, self.ttl, self.traffic, self.flow = 4, self.l3 + 20, head[8], head[1], 0
        self.length = struct.unpack_from("!H", head, 2)[0] - 20
        self.head, self.src, self.dst = head[:20], head[12:16], head[16:20]

    def _ipv6(self, head):
        first, self.length, _, self.ttl = struct.unpack_from("!IHBB", head)
        self.family, self.l4, self.traffic, self.flow = 6, self.l3 + 40, first >> 20 & 0xFF, first & 0xFFFFF
        self.head, self.src, self.dst = head[:40], head[8:24], head[24:40]


def question_octets(payload):
    """The question section as it lies there, and where it ends; no compression."""
    at = 12
    while payload[at]:
        assert payload[at] < 64
        at += 1 + payload[at]
    return payload[12 : at + 5], at + 5


def _judge_envelope(asked, got):
    assert got.family == asked.family and got.tags == asked.tags, "family or VLAN tags changed"
    assert (got.dst_mac, got.src_mac) == (asked.src_mac, asked.dst_mac), "MACs are not exchanged"
    assert (got.dst, got.src) == (asked.src, asked.dst), "addresses are not exchanged"
    assert (got.dport, got.sport) == (asked.sport, asked.dport), "ports are not exchanged"
    assert got.ttl == 64 and got.traffic == 0 and got.flow == 0, "TTL, traffic class or flow label"
    assert got.udp_length == got.length == 8 + len(got.payload), "IP and UDP lengths differ"
    if got.family == 4:
        assert got.head[0] == 0x45 and wire.ones_sum(got.head) == 0xFFFF, "IPv4 header checksum"
        assert struct.unpack_from("!H", got.head, 6)[0] & 0x3FFF == 0, "answer is a fragment"
    body = got.frame[got.l4 : got.l4 + got.udp_length]
    assert got.udp_check != 0, "UDP checksum missing"
    assert wire.ones_sum(wire.pseudo_header(got.src, got.dst, wire.UDP, len(body)) + body) == 0xFFFF, "UDP checksum"
    assert len(got.frame) >= 60 and got.rest.strip(b"\0") == b"", "padding is not zeros"
    assert len(got.rest) == max(0, 60 - got.l4 - got.udp_length), "more padding than the smallest frame needs"


def _judge_question(asked, got):
    question, end = question_octets(asked.payload)
    assert got.payload[:2] == asked.payload[:2], "ID"
    assert got.payload[12:end] == question, "question is not echoed octet by octet"
    return end


def _judge_flags(asked, message):
    want = struct.unpack_from("!H", asked.payload, 2)[0]
    assert message.flags & dns.flags.QR and message.opcode() == dns.opcode.QUERY
    for flag in (dns.flags.RD, dns.flags.CD):
        assert message.flags & flag == want & flag, "RD or CD not copied"
    assert message.flags & dns.flags.RA and not message.flags & (dns.flags.AA | dns.flags.AD | 0x40), "RA, AA, AD or Z"


def _asked_do(asked, end):
    """The query's DO bit, or None without OPT. What is answered has nothing else behind its question."""
    if end == len(asked.payload):
        return None
    assert asked.payload[end : end + 3] == b"\0\0\x29", "an answer to a query with other records"
    return asked.payload[end + 7] & 0x80 != 0


def _judge_opt(asked, end, message):
    had_do = _asked_do(asked, end)
    assert (message.edns >= 0) == (had_do is not None), "OPT for an OPT"
    if had_do is None:
        return
    assert message.edns == 0 and message.payload == 1232, "EDNS version or size"
    assert message.ednsflags == (dns.flags.DO if had_do else 0), "DO, and no other flag"
    codes = [int(option.otype) for option in message.options]
    assert len(codes) == len(set(codes)) and set(codes) <= {10, 15}, "options other than EDE and COOKIE"


def _judge_sections(message):
    assert len(message.question) == 1
    assert sum(len(rrset) for rrset in message.answer) <= 1 and len(message.authority) <= 1 and not message.additional
    for soa in message.authority:
        assert soa.rdtype == dns.rdatatype.SOA and soa.ttl == soa[0].minimum, "SOA TTL and MINIMUM"
        assert message.question[0].name.is_subdomain(soa.name), "SOA of a name that is not above the question"
    for rrset in message.answer:
        assert rrset.name == message.question[0].name and rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
    negative = message.rcode() == 3 or message.rcode() == 0 and not message.answer and not message.flags & dns.flags.TC
    assert bool(message.authority) == negative, "negative answers, and only they, carry an SOA"


def judge(frame_in, frame_out):
    """Returns dnspython's message of a good answer."""
    asked, got = Taken(frame_in), Taken(frame_out)
    _judge_envelope(asked, got)
    end = _judge_question(asked, got)
    message = dns.message.from_wire(got.payload)  # raises on anything malformed, and on trailing octets
    _judge_flags(asked, message)
    _judge_opt(asked, end, message)
    _judge_sections(message)
    # no amplification: the question, one SOA or address, one OPT with EDE and cookie
    assert len(got.payload) <= min(512, end + 35 + 11 + (6 + 32) + 28), "larger than any rule allows"
    return message


def options(message):
    return {int(option.otype): option for option in message.options}
