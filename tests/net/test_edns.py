# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of RFC 8906 (sections 8.1 and 8.2) through the guard.

An allowed name must get the resolver's own answer to each of them; a blocked one must get an answer that passes the
check by itself, whoever gives it.
"""
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

import house as h

UNKNOWN_OPTION = dns.edns.GenericOption(100, b"")
ZBIT, UNKNOWN_FLAG = 0x0040, 0x0040  # the reserved bit of the header; a reserved flag of EDNS
QR, TC = 0x8000, 0x0200


def make(name, kind="A", set_flags=0, edns=None, ednsflags=0, payload=1232, options=None):
    """A query; set_flags are bits of the header that dnspython may have no name for."""
    message = dns.message.make_query(name, kind)
    message.id = 0x8906
    message.use_edns(edns, ednsflags, payload, options=options)
    wire = bytearray(message.to_wire())
    flags, = struct.unpack_from("!H", wire, 2)
    struct.pack_into("!H", wire, 2, flags | set_flags)
    return bytes(wire)


def opcode(name):
    return make(name, set_flags=15 << 11)


def many_options(name):
    options = [dns.edns.GenericOption(3, b""), dns.edns.ECSOption("192.0.2.0", 24), dns.edns.GenericOption(12, bytes(20)),
               UNKNOWN_OPTION]
    return make(name, edns=0, options=options)


# Section, check, and the query for a name.
CHECKS = {
    "8.1.1 plain": lambda n: make(n),
    "8.1.2 unknown type": lambda n: make(n, "TYPE1000"),
    "8.1.3.1 CD": lambda n: make(n, set_flags=dns.flags.CD),
    "8.1.3.2 AD": lambda n: make(n, set_flags=dns.flags.AD),
    "8.1.3.3 reserved bit": lambda n: make(n, set_flags=ZBIT),
    "8.1.3 no RD": lambda n: bytes(b & ~1 if i == 2 else b for i, b in enumerate(make(n))),
    "8.1.4 unknown opcode": opcode,
    "8.2.1 EDNS": lambda n: make(n, edns=0),
    "8.2.2 EDNS version 1": lambda n: make(n, edns=1),
    "8.2.3 unknown option": lambda n: make(n, edns=0, options=[UNKNOWN_OPTION]),
    "8.2.4 unknown flag": lambda n: make(n, edns=0, ednsflags=UNKNOWN_FLAG),
    "8.2.5 version 1, unknown flag": lambda n: make(n, edns=1, ednsflags=UNKNOWN_FLAG),
    "8.2.6 version 1, unknown option": lambda n: make(n, edns=1, options=[UNKNOWN_OPTION]),
    "8.2.7 small size": lambda n: make(n, edns=0, payload=512),
    "8.2.8 DO": lambda n: make(n, edns=0, ednsflags=dns.flags.DO),
    "8.2.9 version 1, DO": lambda n: make(n, edns=1, ednsflags=dns.flags.DO),
    "8.2.10 several options": many_options,
}
EACH = pytest.mark.parametrize("check", CHECKS)
READABLE = pytest.mark.parametrize("check", [c for c in CHECKS if "opcode" not in c])
SERVERS = pytest.mark.parametrize("server", [h.UNBOUND4, h.NAMED4], ids=["unbound", "named"])


@SERVERS
@EACH
def test_an_allowed_name_gets_the_resolvers_own_answer(served, server, check):
    wire = CHECKS[check](h.ALLOWED)
    through = h.ask(served.outside, server, wire)
    direct = h.ask(served.inside, server, wire)
    assert through is not None and through == direct


@SERVERS
def test_an_unknown_opcode_is_not_implemented(served, server):
    """8.1.4; the name in it is of no interest to the guard. dnspython cannot read such a message."""
    raw = h.ask(served.outside, server, opcode(h.BLOCKED))
    assert raw[:2] == b"\x89\x06" and raw[2] >> 3 == 0b10000 | 15 and raw[3] & 0x0F == dns.rcode.NOTIMP


@SERVERS
@READABLE
def test_a_blocked_name_gets_a_compliant_answer(served, server, check):
    wire = CHECKS[check](h.BLOCKED)
    raw = h.ask(served.outside, server, wire)
    assert raw is not None, "RFC 8906 section 2: no answer at all is the worst one"
    query, answer = dns.message.from_wire(wire), dns.message.from_wire(raw)
    flags, = struct.unpack_from("!H", raw, 2)
    assert answer.id == query.id and flags & QR and not flags & TC
    assert not flags & ZBIT and not flags & dns.flags.AD
    assert flags & dns.flags.RD == query.flags & dns.flags.RD
    assert answer.rcode() == expected_rcode(query)
    if answer.rcode() == dns.rcode.NXDOMAIN:
        assert answer.question == query.question
        assert flags & dns.flags.CD == query.flags & dns.flags.CD
    edns_is_compliant(query, answer)


def expected_rcode(query):
    return dns.rcode.BADVERS if query.edns > 0 else dns.rcode.NXDOMAIN


def edns_is_compliant(query, answer):
    """An OPT only for an OPT, of version 0; DO is copied, nothing unknown comes back: RFC 6891 sections 6 and 7."""
    if query.edns < 0:
        assert answer.edns < 0
        return
    assert answer.edns == 0
    assert answer.ednsflags & 0xFFFF in (0, query.ednsflags & dns.flags.DO)
    assert UNKNOWN_OPTION.otype not in [option.otype for option in answer.options]
    if answer.rcode() == dns.rcode.NXDOMAIN:
        assert answer.ednsflags & dns.flags.DO == query.ednsflags & dns.flags.DO


@SERVERS
@EACH
def test_the_same_over_tcp_is_the_resolvers(served, server, check):
    wire = CHECKS[check](h.BLOCKED)
    assert h.ask(served.outside, server, wire, tcp=True) == h.ask(served.inside, server, wire, tcp=True)
