# SPDX-License-Identifier: GPL-2.0-or-later
"""Who waits for an answer of a real resolver is not cut, however the queries came; who waits for nothing is."""
import socket

import pytest
from guarded import CLIENT, Daemon, run, wait_for

from waiting import AT_ONCE, Client, Forwarder, bind_waiting, message, unbound_waiting

QUOTA, CLOSED = 20, 10  # 25 connections, down to 75 % of the quota, where critical has cleared
CONFIG = f"""
interfaces: [guarded]
tcp:
  reaper: enforce
  reaper-idle: 1s
  quotas: ["192.0.2.1:53={QUOTA}"]
"""


@pytest.fixture(params=[bind_waiting, unbound_waiting], ids=["bind", "unbound"])
def resolver(room, request):
    """It has 60 slots, of which the guard is told 20: so it does not close connections itself."""
    forwarder = Forwarder(room)
    request.param(room)
    room.attach()
    yield forwarder
    forwarder.close()


def in_flight(room):
    """Each waits for one answer that the forwarder holds back: {what it does: client}."""
    def slow(number):
        return message(f"slow{number}.example", number)

    after = Client(room, CLIENT, message(AT_ONCE))
    assert after.hear() == 7
    after.say(slow(1))
    alone = slow(2)
    ahead = Client(room, CLIENT, slow(3), message(AT_ONCE))
    assert ahead.hear() == 7  # RFC 7766 section 6.2.1.1: the answers come in any order
    both = Client(room, CLIENT, slow(4) + message(AT_ONCE))
    assert both.hear() == 7
    behind = Client(room, CLIENT, message(AT_ONCE) + slow(5))
    assert behind.hear() == 7
    return {"asks at once": Client(room, CLIENT, slow(6)), "asks again": after, "length alone": Client(room, CLIENT, alone[:2], alone[2:]),
            "two segments": ahead, "one segment": both, "the slow one last": behind}


def idle(room):
    """Each waits for nothing."""
    one, two = Client(room, CLIENT, message(AT_ONCE)), Client(room, CLIENT, message(AT_ONCE) * 2)
    three = Client(room, CLIENT, message(AT_ONCE)[:2], message(AT_ONCE)[2:])
    assert [one.hear(), two.hear(), two.hear(), three.hear()] == [7] * 4
    return {"answered": one, "answered twice": two, "answered in pieces": three,
            "an octet": Client(room, CLIENT, b"\0"), "less than a header": Client(room, CLIENT, message(AT_ONCE)[:13])}


def at_rest(room, clients):
    """
    The server has heard all of them, and they what it has sent: nothing of it goes out again, as it does where an acknowledgement comes
    late. Who comes from here on has been idle for a shorter time.
    """
    said = run(*room.inside.enter("ss", "-HtnOi", "state", "established", "sport", "=", ":53")).stdout
    rows = {line.split()[3]: line for line in said.splitlines()}
    known = [rows.get(f"{CLIENT}:{client.socket.getsockname()[1]}", "") for client in clients]
    return all("bytes_received:" in row and row.split()[1] == "0" for row in known)


def flows(room):
    """(queries, answers, flags) of each connection that the guard knows."""
    return [(flow["queries"], answers, flow["flags"]) for bucket in room.map_values("dg_flows")
            for flow, answers in zip(bucket["flow"], bucket["answers"]) if flow["mark"]]


def reaped(room):
    return room.map_values("dg_tcp_now")[0]["reaped"][2]


def test_in_flight_is_spared_and_idle_is_closed(room, resolver):
    waiting, resting = in_flight(room), idle(room)
    wait_for(lambda: len(resolver.asked) == len(waiting) and at_rest(room, resting.values()))
    silent = [Client(room, CLIENT) for _ in range(25 - len(waiting) - len(resting))]
    daemon = Daemon(room, config=CONFIG).ready()  # now: of those that come while it closes some, one more or less may stay
    clients = [*waiting.values(), *resting.values(), *silent]
    wait_for(lambda: sum(client.is_closed() for client in clients) == CLOSED)  # a reset arrives after it was counted
    assert reaped(room) == CLOSED
    print(flows(room), *daemon.log.rest_of(), sep="\n")
    cut = [name for name, client in waiting.items() if client.is_closed()]
    kept = [name for name, client in resting.items() if not client.is_closed()]
    assert (cut, kept) == ([], [])
    assert sum(client.is_closed() for client in silent) == CLOSED - len(resting)
    resolver.release()
    assert sorted(client.hear() for client in waiting.values()) == [1, 2, 3, 4, 5, 6]


# ---- what the kernel knows --------------------------------------------------------------------------


def flow(room):
    """(queries, answers) of the only connection."""
    (queries, answers, _), = flows(room)
    return queries, answers


def test_answers_are_counted_however_they_leave(room):
    room.attach()
    listener, query = room.listen(), message(AT_ONCE)
    client = Client(room, CLIENT, query * 3)
    server = listener.accept()[0]
    room.sockets.append(server)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wait_for(lambda: flow(room) == (3, 0))
    server.sendall(query * 2)
    wait_for(lambda: flow(room) == (3, 2))
    for part in (query[:2], query[2:9], query[9:]):
        server.sendall(part)
    wait_for(lambda: flow(room) == (3, 3))
    client.say(query)
    for _ in range(3):  # a transfer
        server.sendall(query)
    client.say(query, query)
    server.sendall(query)
    wait_for(lambda: flow(room) == (6, 5))
    client.say(query[:1], query[1:])  # from here on nobody knows where a query begins
    server.sendall(query)
    assert [client.hear() for _ in range(8)] == [7] * 8
    wait_for(lambda: flow(room) == (6, 6))
    daemon = Daemon(room, config=CONFIG.replace("=20", "=1")).ready()
    room.call()
    daemon.log.until(r"closed TCP connection")  # the one that was silent
    assert not client.is_closed()
