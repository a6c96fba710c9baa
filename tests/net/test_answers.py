# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocked and allowed names, UDP and TCP, both families, in front of real Unbound and real BIND."""
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

import house as h

SERVERS = pytest.mark.parametrize("server", [h.UNBOUND4, h.UNBOUND6, h.NAMED4, h.NAMED6],
                                  ids=["unbound IPv4", "unbound IPv6", "named IPv4", "named IPv6"])


def query(name, kind="A", **edns):
    message = dns.message.make_query(name, kind, **edns)
    message.id = 0x1234
    return message.to_wire()


@SERVERS
@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
@pytest.mark.parametrize("name,kind", [(h.ALLOWED, "A"), (h.ALLOWED, "AAAA"), ("nowhere.example", "A"),
                                       ("notblocked.example", "A"), (h.BIG, "TXT")])
def test_an_allowed_name_gets_the_resolvers_own_answer(served, server, tcp, name, kind):
    """Octet for octet what the resolver says to somebody who comes past no guard."""
    wire = query(name, kind)
    answer = h.ask(served.outside, server, wire, tcp)
    assert answer == h.ask(served.inside, server, wire, tcp)
    assert answer[:2] == wire[:2]


@SERVERS
@pytest.mark.parametrize("name", [h.BLOCKED, h.BELOW, "BlOcKeD.eXaMpLe", "a.b.c." + h.BLOCKED])
def test_a_blocked_name_is_answered_before_the_resolver(served, server, name):
    """NXDOMAIN with an SOA to cache it by and the reason, and one verdict that says so."""
    before = served.frames("reply_sinkhole")
    wire = query(name, use_edns=0)
    answer = dns.message.from_wire(h.ask(served.outside, server, wire))
    assert answer.rcode() == dns.rcode.NXDOMAIN and answer.flags & dns.flags.RA
    assert answer.question[0].to_text().split()[0] == name + "."  # the case as it was sent
    assert answer.authority[0].ttl == 60
    assert [(o.code, o.otype) for o in answer.options] == [(15, dns.edns.OptionType.EDE)]
    assert served.frames("reply_sinkhole") == before + 1


@SERVERS
def test_a_blocked_name_over_tcp_is_the_resolvers(served, server):
    """TCP is kept on the books, not answered: the query reaches the resolver, which knows the name."""
    before = served.frames("pass_tcp")
    wire = query(h.BLOCKED)
    answer = h.ask(served.outside, server, wire, tcp=True)
    assert answer == h.ask(served.inside, server, wire, tcp=True)
    assert dns.message.from_wire(answer).answer[0][0].to_text() == "203.0.113.66"
    assert served.frames("pass_tcp") > before


@SERVERS
def test_what_does_not_fit_is_truncated_and_comes_over_tcp(served, server):
    wire = query(h.BIG, "TXT")
    assert dns.message.from_wire(h.ask(served.outside, server, wire)).flags & dns.flags.TC
    whole = dns.message.from_wire(h.ask(served.outside, server, wire, tcp=True))
    assert not whole.flags & dns.flags.TC and len(whole.answer[0][0].strings) == 20


def test_allow_wins_over_block_and_unblock_ends_it(served):
    def rcode():
        return dns.message.from_wire(h.ask(served.outside, h.UNBOUND4, query(h.BELOW))).rcode()

    assert rcode() == dns.rcode.NXDOMAIN
    served.cli("allow", h.BELOW)
    assert rcode() == dns.rcode.NOERROR
    served.cli("unblock", h.BELOW)
    assert rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("answer,kind,expected", [
    ("nodata", "A", (dns.rcode.NOERROR, [])),
    ("null", "A", (dns.rcode.NOERROR, ["0.0.0.0"])),
    ("null", "AAAA", (dns.rcode.NOERROR, ["::"])),
    ("refused", "A", (dns.rcode.REFUSED, [])),
    ("192.0.2.99,2001:db8::99", "A", (dns.rcode.NOERROR, ["192.0.2.99"])),
    ("192.0.2.99,2001:db8::99", "AAAA", (dns.rcode.NOERROR, ["2001:db8::99"])),
    ("192.0.2.99", "HTTPS", (dns.rcode.NOERROR, [])),
])
def test_each_answer_arrives_at_a_real_client(served, answer, kind, expected):
    served.cli("block", "kind.example", "--answer", answer)
    got = dns.message.from_wire(h.ask(served.outside, h.UNBOUND4, query("kind.example", kind)))
    assert (got.rcode(), [r.to_text() for rrset in got.answer for r in rrset]) == expected
    served.cli("unblock", "kind.example")


def test_answer_drop_says_nothing(served):
    served.cli("block", "drop.example", "--answer", "drop")
    assert h.ask(served.outside, h.UNBOUND4, query("drop.example"), timeout=0.3) is None
    h.wait_for(lambda: served.frames("drop_sinkhole") == 1)
    served.cli("unblock", "drop.example")


def test_nothing_was_unsettled(served):
    """Every frame of this module got exactly one verdict, and their sum is what the device saw."""
    status = served.status()
    assert status["verdicts"]["unsettled"]["frames"] == 0
    assert sum(v["frames"] for v in status["verdicts"].values()) == status["interfaces"][0]["frames"] > 0
