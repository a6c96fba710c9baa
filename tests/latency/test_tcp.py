"""TCP: from the SYN to the first octet that comes back, and from each query to its answer."""

import socket
import time

from guarded import SERVER

from callers import SERVER6
from clock import about


def connect(room, address=SERVER):
    return room.client(address, socket.SOCK_STREAM)


def test_connection_and_queries_are_timed_apart(room):
    room.attach()
    room.resolver(50, SERVER, SERVER6)
    sock = connect(room)
    began = time.monotonic()
    room.ask_tcp(sock, 5)
    took = time.monotonic() - began
    room.ask_tcp(connect(room, SERVER6), 2)
    seen = room.latency()
    assert seen["tcp"]["answers"] == 7 and seen["tcp_first"]["answers"] == 2
    assert about(seen["tcp"]["p50_seconds"], 50) and about(seen["tcp_first"]["p50_seconds"], 50)
    assert seen["tcp"]["p50_seconds"] < took
    assert seen["udp"]["answers"] == 0


def test_a_client_that_takes_its_time_is_not_the_resolvers_fault(room):
    room.attach()
    room.resolver(1)
    sock = connect(room)
    time.sleep(0.5)  # what is measured, not what is waited for
    room.ask_tcp(sock)
    seen = room.latency()
    assert about(seen["tcp_first"]["p99_seconds"], 500)
    assert seen["tcp"]["p99_seconds"] < seen["tcp_first"]["p99_seconds"] - 0.3


def test_a_connection_that_carries_nothing_is_not_timed(room):
    room.attach()
    room.resolver(1)
    connect(room).close()
    connect(room).close()
    room.ask_tcp(connect(room))
    seen = room.latency()
    assert (seen["tcp"]["answers"], seen["tcp_first"]["answers"]) == (1, 1)
