# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames from nothing but struct.pack: Ethernet, VLAN tags, IPv4, IPv6, UDP, TCP, and their checksums.

The examiner's own arithmetic: it shares no code with what it examines. Addresses are text, frames are bytes.
"""
import ipaddress
import struct

ETH_IPV4, ETH_IPV6, ETH_VLAN, ETH_QINQ, ETH_ARP = 0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806
TCP, UDP = 6, 17
FRAME_MIN = 60  # octets of the shortest Ethernet frame, FCS not counted: IEEE 802.3

GUARD_MAC, VIRTUAL_MAC, OTHER_MAC = "02:00:00:00:00:53", "02:00:5e:00:01:0a", "02:00:00:00:00:99"
CLIENT_MAC = "02:00:00:00:00:07"


def ones_sum(data):
    """The one's complement sum of 16-bit words, RFC 1071, taken as one big number modulo 0xffff."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big") % 0xFFFF
    return total or (0xFFFF if any(data) else 0)


def checksum(data):
    return 0xFFFF - ones_sum(data)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return ipaddress.ip_address(text).packed


def pseudo_header(src, dst, protocol, length):
    """RFC 768 for 4-octet addresses, RFC 8200 section 8.1 for 16-octet ones."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, protocol, length)
    return src + dst + struct.pack("!I3xB", length, protocol)


def udp_segment(src, dst, sport, dport, payload, length=None, check=None):
    length = 8 + len(payload) if length is None else length
    head = struct.pack("!HHHH", sport, dport, length, 0)
    if check is None:
        check = checksum(pseudo_header(src, dst, UDP, 8 + len(payload)) + head + payload) or 0xFFFF
    return struct.pack("!HHHH", sport, dport, length, check) + payload


def tcp_segment(src, dst, sport, dport, seq=1, flags=0x02, payload=b"", options=b"", words=None):
    """options: whole words. words: what the header says of its length, when that is not the truth."""
    words = 5 + len(options) // 4 if words is None else words
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, words << 4, flags, 65535, 0, 0) + options
    check = checksum(pseudo_header(src, dst, TCP, len(head) + len(payload)) + head + payload)
    return head[:16] + struct.pack("!H", check) + head[18:] + payload


def ipv4_packet(src, dst, protocol, body, *, ttl=55, tos=0, ident=0x1234, frag=0x4000, options=b"",
                total=None, version=4):
    total = 20 + len(options) + len(body) if total is None else total
    head = struct.pack("!BBHHHBBH", version << 4 | 5 + len(options) // 4, tos, total, ident, frag, ttl,
                       protocol, 0) + src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6_packet(src, dst, next_header, body, *, hops=55, flow=0, length=None, version=6):
    length = len(body) if length is None else length
    return struct.pack("!IHBB", version << 28 | flow, length, next_header, hops) + src + dst + body


def ethernet(dst_mac, src_mac, tags, ether_type, body):
    """tags: list of (tag protocol, tag control)."""
    head = mac(dst_mac) + mac(src_mac)
    for tpid, tci in tags:
        head += struct.pack("!HH", tpid, tci)
    return head + struct.pack("!H", ether_type) + body


class Wire:
    """One way a frame may travel: a family (4 or 6) and none, one or two VLAN tags."""

    TAGS = {0: [], 1: [(ETH_VLAN, 0x2064)], 2: [(ETH_QINQ, 0x6009), (ETH_VLAN, 0x0FFE)]}

    def __init__(self, family, tags):
        self.family, self.tags = family, self.TAGS[tags]
        self.ether_type = ETH_IPV4 if family == 4 else ETH_IPV6
        self.name = "IPv%d, %s" % (family, ("no tag", "1 tag", "2 tags")[tags])
        self.client = "198.51.100.7" if family == 4 else "2001:db8:c:1::7"
        self.server = "192.0.2.53" if family == 4 else "2001:db8:53::53"

    def pick(self, ipv4, ipv6):
        return ipv4 if self.family == 4 else ipv6

    @property
    def l3(self):
        return 14 + 4 * len(self.tags)

    @property
    def l4(self):
        return self.l3 + (20 if self.family == 4 else 40)

    def frame(self, packet, dst_mac=GUARD_MAC, src_mac=CLIENT_MAC, ether_type=None):
        return ethernet(dst_mac, src_mac, self.tags, ether_type or self.ether_type, packet)

    def packet(self, src, dst, protocol, body, **ip):
        make = ipv4_packet if self.family == 4 else ipv6_packet
        return make(src, dst, protocol, body, **ip)

    def udp(self, payload, *, src=None, dst=None, sport=40053, dport=53, dst_mac=GUARD_MAC, udp_length=None,
            udp_check=None, pad=b"", ip=None):
        src, dst = address(src or self.client), address(dst or self.server)
        body = udp_segment(src, dst, sport, dport, payload, udp_length, udp_check)
        return self.frame(self.packet(src, dst, UDP, body, **(ip or {})), dst_mac) + pad

    def tcp(self, *, src=None, dst=None, sport=40053, dport=53, seq=1, flags=0x02, payload=b"", dst_mac=GUARD_MAC,
            options=b"", words=None, pad=b"", ip=None):
        src, dst = address(src or self.client), address(dst or self.server)
        body = tcp_segment(src, dst, sport, dport, seq, flags, payload, options, words)
        return self.frame(self.packet(src, dst, TCP, body, **(ip or {})), dst_mac) + pad

    def answer(self, payload, *, src=None, dst=None, sport=40053, dport=53, dst_mac=GUARD_MAC):
        """The frame that must come back for the query udp(..., same arguments) answered with payload."""
        src, dst = address(src or self.client), address(dst or self.server)
        body = udp_segment(dst, src, dport, sport, payload)
        ip = {"ttl": 64, "ident": 0, "frag": 0x4000} if self.family == 4 else {"hops": 64}
        frame = self.frame(self.packet(dst, src, UDP, body, **ip), CLIENT_MAC, dst_mac)
        return frame + bytes(max(0, FRAME_MIN - len(frame)))


WIRES = [Wire(family, tags) for family in (4, 6) for tags in (0, 1, 2)]
