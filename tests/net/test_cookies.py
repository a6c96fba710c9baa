# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS cookies (RFC 7873, RFC 9018): what the guard computes with the shared secret, real BIND must accept."""
import dns.edns
import dns.message
import dns.rcode
import pytest

import house as h
from guarded import Daemon

COOKIE = 10
CLIENT_COOKIE = bytes.fromhex("8899aabbccddeeff")
BADCOOKIE = 23
CONFIG = "interfaces: [guarded]\nlimits: {{mode: observe}}\nmetrics: {{listen: 'off'}}\nanswers: {{{}}}\n"


@pytest.fixture
def strict(house):
    """BIND that refuses a query without a good server cookie, and one name blocked in front of it."""
    h.named(house, "require-server-cookie yes;")
    return house


def guard(house, answers):
    daemon = Daemon(house, config=CONFIG.format(answers)).ready()
    house.cli("block", h.BLOCKED)
    return daemon


def cookie_query(house, server, name, cookie):
    message = dns.message.make_query(name, "A", use_edns=0, options=[dns.edns.GenericOption(COOKIE, cookie)])
    return dns.message.from_wire(h.ask(house.outside, server, message.to_wire()))


def cookies(answer):
    return [option.data for option in answer.options if option.otype == COOKIE]


@pytest.mark.parametrize("server", [h.NAMED4, h.NAMED6])
def test_bind_accepts_the_guards_server_cookie(strict, server):
    guard(strict, f"cookie-secret: {h.COOKIE_SECRET}")
    blocked = cookie_query(strict, server, h.BLOCKED, CLIENT_COOKIE)
    assert blocked.rcode() == dns.rcode.NXDOMAIN
    cookie, = cookies(blocked)
    assert len(cookie) == 24 and cookie[:8] == CLIENT_COOKIE and cookie[8] == 1
    assert cookie_query(strict, server, h.ALLOWED, cookie).rcode() == dns.rcode.NOERROR


def test_bind_refuses_a_cookie_of_another_secret(strict):
    """The twin: BIND does look at them."""
    guard(strict, "cookie-secret: ffffffffffffffffffffffffffffffff")
    cookie, = cookies(cookie_query(strict, h.NAMED4, h.BLOCKED, CLIENT_COOKIE))
    assert cookie_query(strict, h.NAMED4, h.ALLOWED, cookie).rcode() == BADCOOKIE


def test_without_a_secret_no_cookie_comes_back(strict):
    guard(strict, "negative-ttl: 60")
    answer = cookie_query(strict, h.NAMED4, h.BLOCKED, CLIENT_COOKIE)
    assert answer.rcode() == dns.rcode.NXDOMAIN and cookies(answer) == []


def test_without_a_secret_server_cookies_may_pass(strict):
    """pass-cookies: a client that holds the resolver's cookie keeps talking to the resolver."""
    guard(strict, "pass-cookies: true")
    cookie, = cookies(cookie_query(strict, h.NAMED4, h.ALLOWED, CLIENT_COOKIE))
    answer = cookie_query(strict, h.NAMED4, h.BLOCKED, cookie)
    assert answer.answer[0][0].to_text() == "203.0.113.66"
    assert strict.frames("pass_cookie") == 1
