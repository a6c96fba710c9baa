"""What the daemon adds: the counts are right again where they were not, and Prometheus has them."""

import json
import subprocess
import time

import pytest
from guarded import BUILD, SERVER, Daemon, run, wait_for

from callers import hang_up

ROW = f'{{listener="{SERVER}:53"}}'


def link_id(pin):
    shown = json.loads(run("bpftool", "-j", "link", "show", "pinned", pin).stdout)
    return (shown[0] if isinstance(shown, list) else shown)["id"]


def sample(daemon, name):
    return daemon.samples().get(f"dnsguard_tcp_{name}{ROW}")


def row_write(room, row, gone_ns=0):
    """Zeros, and since when nobody listens."""
    rows = room.bpffs / "dnsguard" / "dg_tcp_rows"
    size = int(run("bpftool", "map", "show", "pinned", rows).stdout.split("value ")[1].split("B")[0])
    value = bytes(size - 8) + gone_ns.to_bytes(8, "little")  # the last field
    run("bpftool", "map", "update", "pinned", rows, "key", *map(str, row.to_bytes(4, "little")), "value", *map(str, value))


def rows_of(room):
    """{listener's last octet: its row}."""
    path = room.bpffs / "dnsguard" / "dg_tcp_listen"
    shown = json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)
    return {int(entry["key"][15], 16): int(entry["value"][0], 16) for entry in shown}


@pytest.fixture
def daemon(room):
    return Daemon(room, "--interface", "guarded").ready()


def test_metrics_show_what_is_counted(room, daemon):
    listener = room.listen()
    callers = room.call(5)
    listener.accept()[0].close()
    hang_up(callers[:2], reset=True)
    wait_for(lambda: sample(daemon, "connections") == 3)
    assert sample(daemon, "connections_peak") == sample(daemon, "connections_opened_total") == 5
    assert (sample(daemon, "accept_queue"), sample(daemon, "accept_queue_max")) == (4, 128)
    assert sample(daemon, "hold_seconds_count") == 2
    samples = daemon.samples()
    assert samples[f'dnsguard_tcp_hold_seconds_bucket{{listener="{SERVER}:53",le="+Inf"}}'] == 2
    assert samples[f'dnsguard_tcp_hold_seconds_bucket{{listener="{SERVER}:53",le="4194.304"}}'] == 2
    assert "dnsguard_tcp_time_wait" in samples


def test_metrics_please_promtool_and_openmetrics(room, daemon):
    room.listen()
    room.listen("::1")
    body = daemon.get("/metrics")[1]
    assert 'dnsguard_tcp_connections{listener="[::1]:53"} 0' in body
    linted = subprocess.run(["promtool", "check", "metrics"], input=body, text=True, capture_output=True, check=False)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")
    strict = daemon.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")[1]
    assert "# TYPE dnsguard_tcp_connections_opened counter" in strict and strict.endswith("# EOF\n")


def test_restart_loses_no_count(room, daemon):
    room.listen()
    room.call(6)
    wait_for(lambda: sample(daemon, "connections") == 6)
    daemon.stop()
    hang_up(room.call(3), reset=True)
    room.call(1)
    again = Daemon(room, "--interface", "guarded").ready()
    wait_for(lambda: sample(again, "connections") == 7)
    assert sample(again, "connections_opened_total") == 10
    assert room.listener()["peak"] >= 7


def test_a_count_that_went_wrong_is_set_right(room, daemon):
    room.listen()
    room.call(4)
    room.becomes(connections=4)
    row_write(room, next(i for i, row in enumerate(room.map_values("dg_tcp_rows")) if row["connections"] == 4))
    daemon.log.until("count of TCP connections was moved by 4")  # from 0, whenever it looked
    room.becomes(connections=4, peak=4)


def test_an_upgrade_replaces_the_program_of_an_earlier_build(room):
    """One that counts otherwise gives way, though the packet walk is the same and stays; what it missed is found."""
    room.attach()
    pin = room.bpffs / "dnsguard" / "progs" / "tcpstate"
    run(*room.inside.enter(BUILD / "tests" / "loader" / "holder", pin, "tcpstate"), stdin=subprocess.DEVNULL)
    older, program = link_id(pin), room.link()
    room.listen()
    room.call(2)
    assert room.listener()["connections"] is None
    daemon = Daemon(room, "--interface", "guarded").ready()
    daemon.log.until("guarded: adopted as it is")
    ours = link_id(pin)
    assert ours != older and room.link() == program
    room.call(1)
    room.becomes(connections=3, opened=1)
    daemon.stop()
    Daemon(room, "--interface", "guarded").ready()
    assert link_id(pin) == ours


@pytest.mark.skipif(time.monotonic() < 700, reason="this machine has not been up for ten minutes")
def test_a_listener_that_has_been_gone_for_long_leaves_its_row(room, daemon):
    room.listen().close()
    room.listen("127.0.0.2")
    (gone, kept) = (rows_of(room)[1], rows_of(room)[2])
    wait_for(lambda: room.map_values("dg_tcp_rows")[gone]["gone_ns"])
    row_write(room, gone, time.monotonic_ns() - 601 * 10 ** 9)
    wait_for(lambda: rows_of(room) == {2: kept})
    daemon.stop()
    room.listen()  # and has another, without anybody's help
    room.call(2)
    room.becomes(connections=2, opened=2, peak=2)
