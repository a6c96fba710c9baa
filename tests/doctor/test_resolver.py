"""The checks of resolvers, with BIND and Unbound in every state that a check must tell apart."""

import json
import shutil
import socket

import pytest

from callers import Bind, Dnsdist, Knot, Recursor, Unbound
from guarded import SERVER, Daemon

GOOD_BIND = "tcp-clients 1000; tcp-listen-queue 256; tcp-idle-timeout 50; answer-cookie no;"
GOOD_UNBOUND = "incoming-num-tcp: 500\n  tcp-idle-timeout: 5000"
CHECKS = ("resolver", "quota", "backlog", "idle", "rrl", "cookies", "encrypted")


def test_bind_in_good_health(room):
    Bind(room, GOOD_BIND)
    found = room.doctor()
    for check in CHECKS:
        found.passes(check)
    assert "of 1000 TCP clients" in found["quota"][1] and "5.0 s" in found["idle"][1]


def test_unbound_in_good_health(room):
    Unbound(room, GOOD_UNBOUND)
    found = room.doctor()
    for check in CHECKS:
        found.passes(check)
    assert "of 500 TCP clients" in found["quota"][1] and "5.0 s" in found["idle"][1]


def test_who_listens_is_told_before_anything_is_guarded(room):
    Bind(room, GOOD_BIND)
    row, = json.loads(room.cli("doctor", "tcp", "--json").stdout)["listeners"]
    assert (row["listener"], row["resolver"], row["quota"]) == (f"{SERVER}:53", "named", 1000)


def test_nobody_listens(room):
    room.doctor().is_ill("resolver", "FAIL", "nobody listens", "ss -ltnp")


def test_bind_as_it_comes(room):
    Bind(room)
    found = room.doctor()
    found.is_ill("quota", "WARN", "150 TCP clients at most, its default", "tcp-clients")
    found.is_ill("backlog", "WARN", "only 10 connections may wait", "tcp-listen-queue")
    found.is_ill("idle", "WARN", "for 30 s", "tcp-idle-timeout")
    found.is_ill("cookies", "WARN", "named sends DNS cookies", "answers.cookie-secret-file")
    found.passes("rrl")


def test_a_tool_that_waits_for_a_processor_is_waited_for(room, tmp_path):
    """A host that is busy is one where somebody asks the doctor."""
    tool, real, slow = shutil.which("named-checkconf"), tmp_path / "real", tmp_path / "slow"
    shutil.copy(tool, real)
    slow.write_text(f'#!/bin/sh\nsleep 4\nexec {real} "$@"\n')
    slow.chmod(0o755)
    Bind(room, GOOD_BIND)
    found = room.doctor(wrap=("unshare", "--mount", "sh", "-ec", f'mount --bind {slow} {tool}; exec "$@"', "sh"))
    assert "of 1000 TCP clients" in found.passes("quota")


def test_unbound_as_it_comes(room):
    Unbound(room)
    found = room.doctor()
    found.is_ill("quota", "WARN", "10 TCP clients at most, its default", "incoming-num-tcp")
    found.is_ill("idle", "WARN", "for 30 s", "tcp-idle-timeout")
    found.passes("cookies")


def test_bind_limits_rates_itself(room):
    Bind(room, GOOD_BIND + " rate-limit { responses-per-second 20; };")
    room.attach()
    found = room.doctor()
    found.is_ill("rrl", "WARN", "named limits rates itself", "rate-limit { }")
    room.cli(*found["rrl"][2].split(", or dnsguard ")[1].split())
    assert "nobody else does" in room.doctor().passes("rrl")


def test_unbound_limits_rates_itself(room):
    Unbound(room, "ip-ratelimit: 100")
    room.doctor().is_ill("rrl", "WARN", "unbound limits rates itself", "ip-ratelimit")


def test_recursor_as_it_comes_and_with_long_timeouts(room):
    room.attach()
    recursor = Recursor(room)
    found = room.doctor()
    found.is_ill("quota", "WARN", "128 TCP clients at most, its default", "max-tcp-clients=1024")
    assert "2.0 s" in found.passes("idle")
    for check in ("rrl", "cookies", "backlog"):
        found.passes(check)
    recursor.child.terminate()
    recursor.child.wait()
    (recursor.dir / "recursor.conf").open("a").write("max-tcp-clients=1024\nclient-tcp-timeout=20\n")
    recursor.start(room)
    found = room.doctor()
    assert "of 1024 TCP clients" in found.passes("quota")
    found.is_ill("idle", "WARN", "for 20 s", "client-tcp-timeout=2")


def test_dnsdist_as_it_comes_and_with_rules(room):
    room.attach()
    bind = f'addLocal("{SERVER}:53")'
    dist = Dnsdist(room, bind)
    dist.conf.write_text(f"{bind} -- MaxQPSIPRule(5) is no rule here\n")
    found = room.doctor()
    for check in ("quota", "backlog", "idle", "rrl", "cookies"):
        found.passes(check)
    dist.conf.write_text(f"{bind}\nsetTCPRecvTimeout(30)\naddAction(MaxQPSIPRule(5), DropAction())\n")
    found = room.doctor()
    found.is_ill("idle", "WARN", "for 30 s", "setTCPRecvTimeout(2)")
    found.is_ill("rrl", "WARN", "dnsdist limits rates itself", "MaxQPSIPRule")


def test_knot_resolver_as_it_comes(room):
    room.attach()
    Knot(room, files=1000)
    found = room.doctor()
    for check in ("quota", "backlog", "idle", "rrl", "cookies"):
        found.passes(check)


def test_cookies_that_both_know(room):
    Bind(room)
    room.attach()
    room.doctor().is_ill("cookies", "WARN", "have none", "pass-cookies")
    Daemon(room, config="interfaces: [guarded]\nanswers: {pass-cookies: true}\n").ready()
    assert "fit them" in room.doctor().passes("cookies")


def test_a_quota_that_is_nearly_used(room):
    """Unbound would shorten its timeouts and end these; BIND keeps them until they hang up."""
    Bind(room, GOOD_BIND.replace("1000", "11") + " tcp-initial-timeout 1200;")  # who says nothing is let go later than we look
    room.call(8)
    room.doctor().passes("quota")
    room.call(1)
    room.doctor().is_ill("quota", "FAIL", "9 of 11 TCP clients", "tcp-clients")


def test_a_queue_that_is_full(room):
    """Nobody accepts: two find room behind a backlog of one, and wait."""
    room.listen(backlog=1)
    room.call(2)
    room.doctor().is_ill("backlog", "FAIL", "2 connections wait to be accepted, 1 find room", "backlog")


def test_what_cannot_be_asked_is_not_well(room):
    room.listen()
    found = room.doctor()
    found.is_ill("quota", "WARN", "unknown", "")
    for check in ("idle", "rrl", "cookies"):
        found.is_ill(check, "WARN", "cannot be asked", "its configuration")


def test_a_configuration_that_is_gone(room):
    unbound = Unbound(room, GOOD_UNBOUND)
    unbound.conf.unlink()
    room.doctor().is_ill("idle", "WARN", "cannot be asked of unbound", "unbound-checkconf")


@pytest.mark.parametrize("kind, port, said", [
    (socket.SOCK_STREAM, 853, "DoT on TCP 853"),
    (socket.SOCK_DGRAM, 853, "DoQ on UDP 853"),
], ids=["dot", "doq"])
def test_an_encrypted_port(room, kind, port, said):
    sock = room.inside.socket(socket.AF_INET, kind)
    room.sockets.append(sock)
    sock.bind((SERVER, port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    room.doctor().is_ill("encrypted", "WARN", said, "limit clients there as well")


def test_doh_is_a_resolvers(room):
    """A web server on 443 is none of our business; named there is."""
    web = room.inside.socket(socket.AF_INET, socket.SOCK_STREAM)
    room.sockets.append(web)
    web.bind((SERVER, 443))
    web.listen()
    room.doctor().passes("encrypted")
    web.close()
    Bind(room, GOOD_BIND + f" listen-on port 443 tls none http default {{ {SERVER}; }};")
    room.doctor().is_ill("encrypted", "WARN", "DoH on TCP 443", "limit clients there as well")
