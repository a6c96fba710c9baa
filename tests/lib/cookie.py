# SPDX-License-Identifier: GPL-2.0-or-later
"""Interoperable DNS server cookies (RFC 9018) from SipHash-2-4, written from the papers alone."""
import struct

MASK = (1 << 64) - 1


def _rotl(x, n):
    return (x << n | x >> (64 - n)) & MASK


def _round(v0, v1, v2, v3):
    v0 = (v0 + v1) & MASK
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 = (v2 + v3) & MASK
    v3 = _rotl(v3, 16) ^ v2
    v0 = (v0 + v3) & MASK
    v3 = _rotl(v3, 21) ^ v0
    v2 = (v2 + v1) & MASK
    v1 = _rotl(v1, 17) ^ v2
    return v0, v1, _rotl(v2, 32), v3


def siphash24(key, data):
    """Aumasson and Bernstein, 2012: 128-bit key, 64-bit result as a number."""
    k0, k1 = struct.unpack("<QQ", key)
    v = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v = _round(*_round(*v[:3], v[3] ^ word))
        v = (v[0] ^ word, *v[1:])
    v = (v[0], v[1], v[2] ^ 0xFF, v[3])
    for _ in range(4):
        v = _round(*v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def server_cookie(secret, client_cookie, client_address, unix_seconds):
    """RFC 9018 section 4: version 1, reserved, timestamp, hash. client_address: 4 or 16 octets."""
    head = struct.pack("!BBBBI", 1, 0, 0, 0, unix_seconds & 0xFFFFFFFF)
    digest = siphash24(secret, client_cookie + head + client_address)
    return head + struct.pack("<Q", digest)
