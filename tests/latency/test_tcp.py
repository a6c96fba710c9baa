"""TCP: from the SYN to the first octet that comes back, and from each query to its answer."""

import socket
import time

from guarded import SERVER

from callers import SERVER6
from clock import about

TCP, TCP_FIRST = 1, 2  # enum dg_latency_kind


def connect(room, address=SERVER):
    return room.client(address, socket.SOCK_STREAM)


def test_connection_and_queries_are_timed_apart(room):
    room.attach()
    room.resolver(50, SERVER, SERVER6)
    began = time.monotonic()
    room.ask_tcp(connect(room), 5)
    room.ask_tcp(connect(room, SERVER6), 2)
    took = time.monotonic() - began
    seen = room.latency()
    assert seen["tcp"]["answers"] == 7 and seen["tcp_first"]["answers"] == 2
    assert about(seen["tcp"]["p50_seconds"], 50, room.waited) and about(seen["tcp_first"]["p50_seconds"], 50, took)
    assert seen["udp"]["answers"] == 0


def test_a_client_that_takes_its_time_is_not_the_resolvers_fault(room):
    room.attach()
    room.resolver(1)
    began = time.monotonic()
    sock = connect(room)
    time.sleep(0.5)  # what is measured, not what is waited for
    room.ask_tcp(sock)
    took = time.monotonic() - began
    assert about(room.latency()["tcp_first"]["p99_seconds"], 500, took)
    query, first = (room.sum_seconds(kind) for kind in (TCP, TCP_FIRST))
    assert 0 < query <= room.waited and first - query >= 0.5 - 1e-4  # to the ticks of its clock


def test_a_connection_that_carries_nothing_is_not_timed(room):
    room.attach()
    room.resolver(1)
    connect(room).close()
    connect(room).close()
    room.ask_tcp(connect(room))
    seen = room.latency()
    assert (seen["tcp"]["answers"], seen["tcp_first"]["answers"]) == (1, 1)
