"""UDP: a query to its answer, as the client waits for it; nothing else is timed."""

import re
import signal
import socket
import time
from pathlib import Path

import dns.message
import pytest
from guarded import PATIENCE, QUERY, SERVER, Daemon, run, wait_for

from callers import SERVER6, Bind
from clock import about, named

SAMPLE = "interfaces: [guarded]\nlimits: {{mode: off}}\nlatency: {{sample: {}}}\n"


def test_the_delay_of_a_resolver_is_found(room):
    room.attach()
    room.cli("limit", "set", "--mode", "off")
    room.resolver(50)
    room.ask(1280)
    seen = room.latency()
    assert seen["measured"] is True and seen["udp"]["one_in"] == 64
    assert 1 <= seen["udp"]["answers"] <= 100 and seen["tcp"]["answers"] == 0
    assert all(about(seen["udp"][name], 50, room.waited) for name in ("p50_seconds", "p99_seconds"))
    assert seen["udp"]["answers_last_minute"] == seen["udp"]["answers"]


def test_every_query_is_timed_when_that_is_wanted(room):
    room.attach()
    room.time_all()
    room.resolver(1, SERVER, SERVER6)
    room.ask(50)
    room.ask(30, SERVER6)
    seen = room.latency()["udp"]
    assert (seen["answers"], seen["one_in"], seen["unanswered"]) == (80, 1, 0)


def sampled(room, daemon, one_in, queries):
    """How many of so many queries are measured once the file says so."""
    room.config(SAMPLE.format(one_in))
    daemon.kill(signal.SIGHUP)
    daemon.log.until("configuration applied")
    before = room.latency()["udp"]
    room.ask(queries)
    seen = room.latency()["udp"]
    assert before["one_in"] == seen["one_in"] == one_in
    assert seen["p99_seconds"] is None or seen["answers"]
    return seen["answers"] - before["answers"]


def test_the_configured_share_is_measured_from_the_next_query_on(room):
    daemon = Daemon(room, config=SAMPLE.format(1)).ready()
    room.resolver(1)
    room.ask(20)
    assert room.latency()["udp"]["answers"] == 20
    assert 50 <= sampled(room, daemon, 4, 400) <= 150
    assert sampled(room, daemon, 0, 100) == 0
    assert sampled(room, daemon, 1, 30) == 30
    assert re.search(r"of 1 query in +1\n", room.cli("status").stdout)


def test_a_real_resolver_is_timed(room):
    room.attach()
    room.time_all()
    Bind(room)
    room.ask(50)
    seen = room.latency()["udp"]
    assert seen["answers"] == 50 and 0 < seen["p50_seconds"] <= room.waited * 1.25


def test_a_query_that_is_repeated_is_timed_from_the_first(room):
    room.attach()
    room.time_all()
    server, sock = room.inside.socket(socket.AF_INET, socket.SOCK_DGRAM), room.client()
    room.sockets.append(server)
    server.settimeout(PATIENCE)
    server.bind((SERVER, 53))
    began = time.monotonic()
    sock.send(QUERY)
    client = server.recvfrom(512)[1]
    time.sleep(0.3)  # what is measured, not what is waited for
    for _ in range(4):
        sock.send(QUERY)
        server.recv(512)
    for _ in range(5):
        server.sendto(QUERY[:2] + b"\x81" + QUERY[3:], client)
        sock.recv(512)
    waited = time.monotonic() - began
    seen = room.latency()["udp"]
    assert seen["answers"] == 1 and about(seen["p99_seconds"], 300, waited)


def test_an_answer_that_comes_twice_counts_once(room):
    room.attach()
    room.time_all()
    room.resolver(1)
    sock = room.client()
    sock.send(named(b"twice"))
    sock.recv(512)
    sock.recv(512)
    assert room.latency()["udp"]["answers"] == 1


def fragments_sent(room, family):
    counters = dict(line.split()[:2] for line in run(*room.inside.enter("nstat", "-asz")).stdout.splitlines()[1:])
    return int(counters["Ip6FragCreates" if family == 6 else "IpFragCreates"])


def ask_large(room, query, count, address=SERVER):
    sock, began = room.client(address), time.monotonic()
    for number in range(count):
        sock.send(number.to_bytes(2, "big") + query[2:])
        assert len(sock.recv(4096)) >= 3000
    return time.monotonic() - began


@pytest.mark.parametrize("address", [SERVER, SERVER6], ids=["IPv4", "IPv6"])
def test_an_answer_in_fragments_is_timed_once(room, address):
    room.attach()
    room.time_all()
    room.resolver(50, SERVER, SERVER6)
    waited = ask_large(room, named(b"large"), 5, address)
    assert fragments_sent(room, 6 if address == SERVER6 else 4) == 15
    seen = room.latency()["udp"]
    assert (seen["answers"], seen["unanswered"]) == (5, 0)
    assert about(seen["p99_seconds"], 50, waited)


def test_a_real_resolvers_answer_in_fragments_is_timed_once(room):
    """BIND that may send 4,096 octets to a client that takes them, over an MTU of 1,500."""
    text = " ".join(['"' + "x" * 250 + '"'] * 13)
    (Path(room.dir) / "zone").write_text(f"@ 60 SOA a. b. 1 1 1 1 1\n@ 60 NS a.\nwww 60 TXT {text}\n")
    room.attach()
    room.time_all()
    Bind(room, "max-udp-size 4096;", more='zone "example" { type primary; file "zone"; };')
    query = dns.message.make_query("www.example", "TXT", use_edns=0, payload=4096).to_wire()
    ask_large(room, query, 20)
    assert fragments_sent(room, 4) == 60
    seen = room.latency()["udp"]
    assert (seen["answers"], seen["unanswered"]) == (20, 0)


def test_what_the_kernel_answers_or_drops_is_not_timed(room):
    room.attach()
    room.time_all()
    room.resolver(1)
    room.cli("block", "www.example", "--answer", "drop")
    room.query(count=5)
    wait_for(lambda: room.frames("drop_sinkhole") == 5)
    room.cli("unblock", "www.example")
    room.ask(1)
    assert sum(cpu["value"]["asked"] for cpu in room.latency_rows()[0]) == 1


def test_a_device_whose_answers_are_not_seen_notes_no_query(room):
    room.attach()
    room.time_all()
    room.resolver(1)
    (room.bpffs / "dnsguard" / "progs" / "tcx-guarded").unlink()
    assert room.latency()["measured"] is False
    row = room.iface()
    room.ask(1)
    assert room.latency()["udp"]["answers"] == 0 and row["flags"] & 64
    room.attach()
    room.ask(1)
    assert room.latency()["measured"] is True and room.latency()["udp"]["answers"] == 1


def test_prometheus_has_them(room):
    daemon = Daemon(room, config=SAMPLE.format(1)).ready()
    room.resolver(50)
    room.ask(20)
    samples = daemon.samples()
    name, udp = "dnsguard_response_seconds", 'transport="udp"'
    assert samples[f"{name}_count{{{udp}}}"] == samples[f'{name}_bucket{{{udp},le="+Inf"}}'] == 20
    assert samples[f'{name}_bucket{{{udp},le="0.032768"}}'] == 0
    assert samples[f'{name}_bucket{{{udp},le="16.777216"}}'] == 20
    assert 20 * 0.05 * 0.8 < samples[f"{name}_sum{{{udp}}}"] <= 20 * room.waited
    assert samples["dnsguard_response_awaited_total{" + udp + "}"] == 20
