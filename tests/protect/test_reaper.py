"""Whose connections are closed and whose are not; observed, nothing is closed and the same is counted."""

import select
import signal
import socket

import pytest
from callers import BIND_WAITS, SERVER6, Bind, hang_up
from guarded import CLIENT, QUERY, SERVER, Daemon, run, wait_for

from crowd import Holders, addresses

CONFIG = """
interfaces: [guarded]
tcp:
  protect: {protect}
  reaper: {reaper}
  reaper-idle: 1s
  quotas: ["{server}:53={quota}"]
"""


def daemon_of(room, protect="off", reaper="off", quota=20, server=SERVER):
    return Daemon(room, config=CONFIG.format(protect=protect, reaper=reaper, quota=quota, server=server)).ready()


def call_from(room, source, count):
    made = []
    for _ in range(count):
        sock = room.outside.socket(2, 1)
        sock.bind((source, 0))
        sock.connect((SERVER, 53))
        made.append(sock)
    room.sockets += made
    return made


def held_by(room, source):
    """Connections of this source that the server still has."""
    said = run(*room.inside.enter("ss", "-Htn", "state", "established", "sport", "=", ":53")).stdout
    return sum(line.split()[3].rsplit(":", 1)[0] == source for line in said.splitlines())


def is_gone(sock):
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def reaped(room):
    return room.map_values("dg_tcp_now")[0]["reaped"]


def cells(room):
    """The counts in the table of sources: of each, and the last of all that of the /24 in which they are."""
    found = (cell & 0xFFFFFF for line in room.map_values("dg_tcp_shares") for cell in line["cell"])
    return sorted(count for count in found if count)


def test_a_query_in_flight_is_not_cut(room):
    room.attach()
    room.listen()
    asking = call_from(room, CLIENT, 5)  # the oldest: they would be first
    for sock in asking:
        sock.sendall(b"\0\x1d" + QUERY)
    silent = call_from(room, CLIENT, 20)
    daemon = daemon_of(room, reaper="enforce")
    wait_for(lambda: reaped(room)[2] == 10)  # down to 75 % of 20, where critical has cleared
    assert held_by(room, CLIENT) == 15
    wait_for(lambda: sum(is_gone(sock) for sock in silent) == 10)  # a reset arrives after it was counted
    assert not any(is_gone(sock) for sock in asking)
    daemon.log.until(r"closed TCP connection of 192\.0\.2\.2:\d+ to 192\.0\.2\.1:53, idle for \d")
    assert daemon.samples()['dnsguard_tcp_reaped_total{mode="enforce"}'] == 10


def test_an_exempt_source_keeps_what_it_has(room):
    other, = addresses(room, 10, 1)
    room.attach()
    room.listen()
    room.cli("source", "exempt", CLIENT)
    call_from(room, CLIENT, 13)
    call_from(room, other, 12)
    daemon_of(room, reaper="enforce")
    wait_for(lambda: reaped(room)[2] == 5)  # noted of each once it is gone
    assert (held_by(room, other), held_by(room, CLIENT)) == (7, 13)  # 75 % of 20 for two sources


def test_observed_nothing_is_closed_and_nothing_dropped(room):
    sources = addresses(room, 10, 50)
    room.attach()
    Bind(room, "tcp-clients 20;" + BIND_WAITS)  # who is lost was not sent away by BIND
    daemon = daemon_of(room, "observe", "observe")
    wait_for(lambda: room.map_values("dg_settings")[0]["protect"]["base"][0] == 5)
    with Holders(room, sources, 60) as holders:
        wait_for(lambda: reaped(room)[1] >= 10 and room.frames("pass_observed_tcp_share") > 0)
        assert holders.lost == 0 and reaped(room)[2] == 0
        shown = room.tcp()["protect"]
    assert (shown["mode"], shown["reaper"], shown["syns_dropped"], shown["reaped"]) == ("observe", "observe", 0, 0)
    assert shown["syns_observed"] > 0 and shown["reaped_observed"] >= 10
    assert room.frames("drop_tcp_share") == room.frames("drop_syn_limited") == 0
    daemon.log.until(r"would close \(observed\) TCP connection of 192\.0\.2\.")


def test_pressure_ends_with_a_daemon_that_is_killed_and_that_is_said(room):
    room.attach()
    room.listen()
    daemon = daemon_of(room, protect="enforce")
    call_from(room, CLIENT, 5)  # of a quarter of 20
    other, = addresses(room, 10, 1)
    call_from(room, other, 5)
    wait_for(lambda: room.tcp()["protect"]["step"] == 1)
    assert room.tcp()["running"] and "daemon" not in room.tcp()
    daemon.stop(signal.SIGKILL)
    said = room.tcp()
    assert not said["running"] and "not running" in said["daemon"] and "nothing is reaped" in said["daemon"]
    wait_for(lambda: room.tcp()["protect"]["step"] == 0)
    assert room.tcp()["protect"]["connections_of_a_source"] == 5


def test_without_a_mode_nothing_is_done(room):
    room.attach()
    room.listen()
    daemon = daemon_of(room)
    call_from(room, CLIENT, 25)
    wait_for(lambda: daemon.samples()[f'dnsguard_tcp_connections{{listener="{SERVER}:53"}}'] == 25)
    shown = room.tcp()["protect"]
    assert (shown["mode"], shown["reaper"], shown["step"]) == ("off", "off", 0)
    assert shown["connections_of_a_source"] is None


# ---- who is counted -------------------------------------------------------------------------------


def test_sources_are_counted_from_before_the_guard_to_their_end(room):
    other, = addresses(room, 10, 1)
    listener = room.listen()
    callers = call_from(room, CLIENT, 3)
    accepted = [listener.accept()[0] for _ in callers]
    room.attach()
    assert cells(room) == [3, 3]
    callers += call_from(room, other, 2)
    accepted += [listener.accept()[0] for _ in range(2)]
    assert cells(room) == [2, 3, 5]
    hang_up(callers[:1] + callers[3:], reset=True)
    wait_for(lambda: cells(room) == [2, 2])
    hang_up(callers[1:3], reset=True)
    wait_for(lambda: cells(room) == [])


def test_other_namespaces_are_not_counted(room):
    room.attach()
    room.listen(CLIENT, netns=room.outside)
    room.call(4, CLIENT, netns=room.outside)
    assert cells(room) == []
    room.listen()
    room.call(4)
    room.becomes(connections=4)
    assert cells(room) == [4, 4]


def test_a_count_that_went_wrong_is_set_right(room):
    """One source has too many, another too few."""
    other, = addresses(room, 10, 1)
    room.attach()
    room.listen()
    call_from(room, CLIENT, 4)
    call_from(room, other, 3)
    room.becomes(connections=7)
    table = room.bpffs / "dnsguard" / "dg_tcp_shares"
    for at, line in enumerate(room.map_values("dg_tcp_shares")):
        if any(line["cell"]):
            wrong = [(cell & ~0xFFFFFF | 9) if cell & 0xFFFFFF == 4 else 0 for cell in line["cell"]]
            octets = b"".join(cell.to_bytes(8, "little") for cell in wrong)
            run("bpftool", "map", "update", "pinned", table, "key", *map(str, at.to_bytes(4, "little")),
                "value", *map(str, octets))
    assert cells(room) == [9]
    daemon_of(room)
    wait_for(lambda: cells(room) == [3, 4, 7])


# ---- wide prefixes --------------------------------------------------------------------------------

WIDE = {  # the server; 19 sources of one wide prefix, and a twentieth; one of another
    "IPv4": (SERVER, [f"192.0.2.{i}" for i in range(10, 29)], "192.0.2.99", "198.51.100.2"),
    "IPv6": (SERVER6, [f"2001:db8:1:{i}::1" for i in range(19)], "2001:db8:1:99::1", "2001:db8:2::1"),
}


def dial(room, server, source):
    sock = room.outside.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_STREAM)
    room.sockets.append(sock)
    sock.bind((source, 0))
    sock.setblocking(False)
    sock.connect_ex((server, 53))
    return sock


def connected(sock):
    return bool(select.select([], [sock], [], 0)[1]) and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.mark.parametrize("family", WIDE)
def test_a_wide_prefix_leaves_something_to_the_rest_of_the_world(room, family):
    server, sources, neighbour, stranger = WIDE[family]
    for address in (*sources, neighbour, stranger):
        length = 128 if ":" in address else 32
        room.outside.ip("addr", "add", f"{address}/{length}", "dev", "peer", *["nodad"] * (":" in address))
        room.inside.ip("route", "add", f"{address}/{length}", "dev", "guarded")
    room.attach()
    room.listen(server)
    daemon_of(room, protect="enforce\n  protect-share-24: 75%", server=f"[{server}]" if ":" in server else server)
    held = [dial(room, server, source) for source in sources]
    wait_for(lambda: room.map_values("dg_settings")[0]["protect"]["share_wide4"] == 15)
    assert room.map_values("dg_settings")[0]["protect"]["share"][1] == 15
    refused, other = dial(room, server, neighbour), dial(room, server, stranger)
    wait_for(lambda: connected(other))
    wait_for(lambda: room.frames("drop_tcp_share") > 0)
    assert all(connected(sock) for sock in held) and not connected(refused)
    hang_up(held[:5], reset=True)  # 14 are left
    wait_for(lambda: connected(refused))
