"""Honest clients are answered whoever holds the slots: seen without protection, and with it."""

import pytest
from callers import Bind, Unbound
from guarded import Daemon, run, wait_for

from crowd import Holders, addresses, answered

CONFIG = """
interfaces: [guarded]
tcp:
  protect: {mode}
  reaper: {mode}
"""
RESOLVERS = {  # how it is made, and its quota
    "bind 20": (Bind, "tcp-clients 20;", 20),
    "bind": (Bind, "", 150),
    "unbound": (Unbound, "", 10),
}
FULL = 280  # more than any of them takes and queues
CLIENTS = 20
TOP = 4  # DG_PROTECT_STEPS


def daemon_of(room, mode):
    return Daemon(room, config=CONFIG.format(mode=mode)).ready()


def overflows(room):
    """Handshakes that found the accept queue full, since the namespace was made."""
    said = run(*room.inside.enter("nstat", "-asz", "TcpExtListenOverflows")).stdout
    return int(said.split()[-2])


def held(room):
    """Connections that are established at the server."""
    return len(run(*room.inside.enter("ss", "-Htn", "state", "established", "sport", "=", ":53")).stdout.splitlines())


def protect(room):
    return room.map_values("dg_settings")[0]["protect"]


@pytest.fixture(params=RESOLVERS, ids=lambda name: name.replace(" ", "-"))
def resolver(request):
    return RESOLVERS[request.param]


@pytest.fixture(params=[1, 50], ids=["one source", "50 sources"])
def sources(room, request):
    return addresses(room, 10, request.param)


def test_honest_clients_are_answered(room, resolver, sources):
    make, options, quota = resolver
    clients = addresses(room, 100, CLIENTS)
    make(room, options)
    assert answered(room, clients[:1]) == 1
    with Holders(room, sources, FULL):
        wait_for(lambda: overflows(room) > 0 and held(room) > quota)
        assert answered(room, clients) == 0
    daemon_of(room, "enforce")
    wait_for(lambda: protect(room)["base"][0] == max(2, quota // 4))  # the quota is known
    with Holders(room, sources, FULL):
        if len(sources) == 1:  # never gets as far as to press
            wait_for(lambda: room.frames("drop_tcp_share") > 0)
        else:
            wait_for(lambda: protect(room)["step"] == TOP)
        wait_for(lambda: held(room) <= quota + 50)  # what was above the shares is gone
        assert answered(room, clients, rounds=3) >= 0.99
