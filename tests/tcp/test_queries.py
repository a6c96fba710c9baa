"""TCP queries are counted as real clients send them and real resolvers answer them."""

import socket
import struct

import pytest
from guarded import CLIENT, SERVER, run

from callers import Bind, Unbound

RESOLVERS = [Bind, Unbound]


def query(name, qtype=1, ident=7):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    wire = struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, qtype, 1)
    return struct.pack("!H", len(wire)) + wire


def pieces(sock, *parts):
    """Each in a segment of its own."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in parts:
        sock.sendall(part)


def answers(sock, count):
    data = b""
    while count:
        data += sock.recv(65536) or pytest.fail("the resolver hung up")
        while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
            data, count = data[2 + int.from_bytes(data[:2], "big"):], count - 1
    assert not data and count == 0


def types(asked):
    return {row["type"]: row["tcp"] for row in asked["by_type"]}


def names(asked):
    return {(row["name"], row["type"]): row["queries"] for row in asked["names"]}


@pytest.mark.parametrize("resolver", RESOLVERS, ids=lambda resolver: resolver.__name__)
def test_what_clients_send_is_counted(room, resolver):
    room.attach()
    resolver(room)
    kdig = room.outside.enter("kdig", "@" + SERVER, "+tcp", "+retry=0")
    before = room.tcp()["queries"]
    run(*kdig, "One.example", "A")
    run(*kdig, "+keepopen", "one.example", "AAAA", "one.example", "AAAA", "two.example", "HTTPS", "two.example", "TYPE999")
    asked = room.tcp()["queries"]
    assert asked["tcp"] - before["tcp"] == 5
    assert types(asked) == {"A": 1, "AAAA": 2, "HTTPS": 1, "other": 1}
    assert names(asked) == {("one.example", "A"): 1, ("one.example", "AAAA"): 2, ("two.example", "HTTPS"): 1,
                            ("two.example", "TYPE999"): 1}
    assert asked["per_connection"] == [{"at_least": 1, "connections": 2}, {"at_least": 2, "connections": 1},
                                       {"at_least": 4, "connections": 1}]
    assert [(row["prefix"], row["segments"]) for row in asked["clients"]] == [(CLIENT, 5)]


@pytest.mark.parametrize("resolver", RESOLVERS, ids=lambda resolver: resolver.__name__)
def test_pieces_and_pipelines_are_counted_once_each(room, resolver):
    room.attach()
    resolver(room)
    caller = room.call()[0]
    one = query("alone.example")
    pieces(caller, one[:2], one[2:])
    answers(caller, 1)
    pieces(caller, query("a.example") + query("b.example", 28) + query("c.example", 16))
    answers(caller, 3)
    pieces(caller, one + one[:2], one[2:] + query("last.example"))
    answers(caller, 3)
    pieces(caller, one[:20], one[20:])
    answers(caller, 1)
    asked = room.tcp()["queries"]
    assert types(asked) == {"A": 5, "AAAA": 1, "TXT": 1, "unread": 1}
    assert names(asked)["alone.example", "A"] == 3
    assert asked["tcp"] == 8 and asked["connections"] == 1 and asked["queries_per_connection"] == 8


def test_a_connection_from_before_the_start_is_taken_up(room):
    Bind(room)
    caller = room.call()[0]
    pieces(caller, query("before.example"))
    answers(caller, 1)
    room.attach()
    pieces(caller, query("after.example"), query("after.example"))
    answers(caller, 2)
    asked = room.tcp()["queries"]
    assert asked["tcp"] == 2 and names(asked) == {("after.example", "A"): 2}
    room.attach()
    pieces(caller, query("again.example"))
    answers(caller, 1)
    assert room.tcp()["queries"]["tcp"] == 3


def test_share_of_all_queries(room):
    room.attach()
    Bind(room)
    dig = room.outside.enter("kdig", "@" + SERVER, "+retry=0", "+noall")
    for _ in range(3):
        run(*dig, "udp.example")
    assert room.tcp()["queries"]["tcp_share"] == 0
    run(*dig, "+tcp", "tcp.example")
    asked = room.tcp()["queries"]
    assert (asked["udp"], asked["tcp"], asked["tcp_share"]) == (3, 1, 0.25)
    text = room.cli("tcp").stdout
    assert "tcp.example" in text and "names asked over TCP" in text and "udp.example" not in text
