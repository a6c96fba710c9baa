"""The listener under siege: each of its caps holds, scrapes are answered meanwhile, and queries in the kernel never notice."""

import contextlib
import re
import resource
import socket
import struct
import time

import pytest

from guarded import PATIENCE, PORT, QUERY, SERVER, Daemon, wait_for

CONNECTIONS_MAX, CONNECTION_OCTETS, IDLE_S, REQUEST_S = 256, 16 << 10, 10, 15  # userspace/dnsguardd/http.h
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def daemon(world):
    return Daemon(world, "--interface", "guarded").ready()


@pytest.fixture
def connect(world):
    """Opens connections to the listener; all of them are closed afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with contextlib.ExitStack() as opened:

        def make(sent=b"", count=1, room=None):
            made = [opened.enter_context(sock) for sock in world.inside.sockets(count, socket.AF_INET, socket.SOCK_STREAM)]
            for sock in made:
                sock.settimeout(PATIENCE)
                if room:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
                sock.connect(("127.0.0.1", PORT))
                sock.sendall(sent)
            return made if count > 1 else made[0]

        yield make


def all_of(sock):
    """What comes until the other side ends it."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            said += chunk
    return said


def statuses(said):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", said)]


def is_closed(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def answered(client, queries):
    """How many of so many queries for a blocked name are answered, by the kernel alone."""
    for number in range(queries):
        client.sendto(struct.pack(">H", number) + QUERY[2:], (SERVER, 53))
    heard = set()
    with contextlib.suppress(TimeoutError):
        while len(heard) < queries:
            heard.add(client.recv(512)[:2])
    return len(heard)


def test_scrapes_and_queries_go_on(world, connect):
    """2,000 connections that say nothing or half a request, and readers that take their answer octet by octet."""
    world.cli("attach", "guarded", "--mode", "generic")  # whose answers a veth without a program of its own takes
    world.cli("block", "www.example")
    world.cli("limit", "set", "--rate-limit", "10000", "--instant-limit", "10000")
    daemon = Daemon(world, "--interface", "guarded").ready()
    client = world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE)
    assert answered(client, 200) == 200
    idle = connect(count=1000)
    connect(b"GET /metrics HTTP/1.1\r\nHo", count=1000)
    slow = connect(REQUEST * 20, count=50, room=2048)
    took = []
    for _ in range(10):
        began = time.monotonic()
        assert daemon.get("/metrics")[0].status == 200
        took.append(time.monotonic() - began)
        assert len(slow[-1].recv(1)) == 1
        assert answered(client, 200) == 200
    assert max(took) < 2
    assert daemon.samples()["process_open_fds"] < CONNECTIONS_MAX + 100
    wait_for(lambda: is_closed(idle[0]))  # the oldest made room
    assert not is_closed(slow[-1])
    client.close()


def test_time_is_bounded(daemon, connect):
    """Who says nothing is let go after one time, who says an octet now and then after another, who asks now and then is kept."""
    began, asked, ends = time.monotonic(), 0, {}
    idle, writer, scraper = connect(), connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: "), connect()
    while len(ends) < 2 or time.monotonic() - began < REQUEST_S + 1:
        for name, sock in (("idle", idle), ("writer", writer)):
            if name not in ends and is_closed(sock):
                ends[name] = time.monotonic() - began
        with contextlib.suppress(OSError):
            writer.setblocking(True)
            writer.send(b"x")
        if time.monotonic() - began > asked * 2:
            asked += 1
            scraper.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert statuses(scraper.recv(4096)) == [200]
        assert time.monotonic() - began < PATIENCE, f"still open; closed were {ends}"
        time.sleep(0.25)  # the pace of the slow writer
    assert IDLE_S - 1 <= ends["idle"] <= ends["writer"] and REQUEST_S - 1 <= ends["writer"] < REQUEST_S + 10
    assert not is_closed(scraper)


def test_headers_are_bounded(daemon, connect):
    for many in (b"X: " + b"y" * CONNECTION_OCTETS + b"\r\n", b"".join(b"X%d: y\r\n" % n for n in range(2000)), b"Cookie: " + b"a=b; " * 4000 + b"\r\n"):
        said = all_of(connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n"))
        assert statuses(said) in ([], [413], [431]) and b"dnsguard_up" not in said
    assert statuses(all_of(connect(b"GET /" + b"a" * CONNECTION_OCTETS + b" HTTP/1.1\r\nHost: x\r\n\r\n"))) in ([], [414])
    assert daemon.get("/healthz")[0].status == 200


def test_requests_in_one_piece_are_answered_in_turn(daemon, connect):
    said = all_of(connect(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                          b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert statuses(said) == [200, 404, 200]


def test_who_has_said_all_still_hears(daemon, connect):
    sock = connect(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    sock.shutdown(socket.SHUT_WR)
    said = all_of(sock)
    assert statuses(said) == [200] and b"dnsguard_up" in said
