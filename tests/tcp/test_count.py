"""Connections are counted as they are: by address, in one namespace, from before the start, across replacement."""

import os

import pytest
from guarded import SERVER, run, wait_for

from callers import BIND_WAITS, SERVER6, Bind, Dnsdist, Knot, Recursor, Unbound, begin, hang_up, still_open


def accept(listener, count):
    return [listener.accept()[0] for _ in range(count)]


# ---- against real resolvers -----------------------------------------------------------------------


@pytest.mark.parametrize("options, most", [("tcp-clients 20;", 20), ("", 150)], ids=["tcp-clients 20", "default"])
def test_bind_has_as_many_clients_as_are_counted(room, options, most):
    room.attach()
    bind = Bind(room, options + BIND_WAITS)
    callers = room.call(13)
    wait_for(lambda: bind.clients() == (13, most))
    assert room.becomes(connections=13)["peak"] == 13
    hang_up(callers[:5])
    wait_for(lambda: bind.clients() == (8, most))
    room.becomes(connections=8, peak=13)


def test_what_bind_does_not_accept_is_counted_and_stands_in_the_queue(room):
    room.attach()
    bind = Bind(room, "tcp-clients 20; tcp-listen-queue 10;" + BIND_WAITS)
    count = 20 + 3 + room.listener()["sockets"]  # one a processor
    callers = room.call(count)
    wait_for(lambda: bind.clients() == (20, 20))
    row = room.becomes(connections=count)
    # BIND holds one more in each socket's hand, accepted and not served.
    in_hand = row["connections"] - row["accept_queue"] - bind.clients()[0]
    assert 0 <= in_hand <= row["sockets"] and row["accept_queue"] >= 3
    assert row["accept_queue_max"] == 10 * row["sockets"]
    hang_up(callers)
    room.becomes(connections=0, accept_queue=0, peak=count)


def test_unbound_has_as_many_clients_as_are_counted(room):
    room.attach()
    unbound = Unbound(room)
    callers = room.call(4)  # of 10: from half of them on it closes idle ones within a moment
    wait_for(lambda: unbound.usage() == 4)
    room.becomes(connections=4)
    hang_up(callers)
    wait_for(lambda: unbound.usage() == 0)
    room.becomes(connections=0, peak=4)


def test_recursor_has_as_many_clients_as_are_counted_and_no_more_than_it_takes(room):
    room.attach()
    recursor = Recursor(room, "max-tcp-clients=10\nmax-tcp-per-client=0\nclient-tcp-timeout=100")
    callers = begin(room.call(7))
    wait_for(lambda: recursor.clients() == 7)
    room.becomes(connections=7, accept_queue=0)
    callers += begin(room.call(9))
    # It has taken one too many when it stops to accept.
    row = room.becomes(connections=16, accept_queue=5, quota=10)
    assert recursor.clients() == row["connections"] - row["accept_queue"]
    hang_up(callers)
    wait_for(lambda: recursor.clients() == 0)
    room.becomes(connections=0, accept_queue=0, peak=16)


def test_dnsdist_has_as_many_clients_as_are_counted_and_no_more_than_it_takes(room):
    room.attach()
    dnsdist = Dnsdist(room, f'setLocal("{SERVER}:53", {{ maxConcurrentTCPConnections = 10 }})')
    callers = begin(room.call(7))
    wait_for(lambda: dnsdist.clients() == (7, 7))
    room.becomes(connections=7, peak=7, accept_queue=0)
    callers += begin(room.call(3))
    wait_for(lambda: dnsdist.clients() == (10, 10))
    room.becomes(connections=10, peak=10, quota=10)
    (late,) = begin(room.call(1))
    wait_for(lambda: not still_open(late))  # accepted and closed, by a reset where its octet had come by then
    row = room.becomes(connections=10, peak=11)
    assert row["closed_by"]["local"] + row["closed_by"]["reset"] == 1 and row["closed_by"]["remote"] == 0
    assert (row["accept_queue"], dnsdist.clients()[0]) == (0, 10)
    hang_up(callers)
    room.becomes(connections=0)


def test_knot_resolver_has_as_many_clients_as_are_counted(room):
    room.attach()
    knot = Knot(room, 900)
    callers = begin(room.call(7))
    wait_for(lambda: knot.clients() == 7)
    room.becomes(connections=7)
    hang_up(callers[:3])
    wait_for(lambda: knot.clients() == 4)
    room.becomes(connections=4, peak=7)


# ---- peaks, ends and hold times -------------------------------------------------------------------


def test_a_burst_of_a_moment_is_a_peak(room):
    room.attach()
    room.listen()
    room.listen("127.0.0.1")
    hang_up(room.call(40), reset=True)
    room.becomes(connections=0)
    hang_up(room.call(3), reset=True)
    room.becomes(connections=0, peak=40, peak_minute=40, opened=43)
    assert room.listener("127.0.0.1:53")["peak"] == 0


def test_who_has_gone_holds_a_place_until_the_resolver_lets_go(room):
    room.attach()
    listener = room.listen()
    callers = room.call(3)
    accepted = accept(listener, 3)
    hang_up(callers)
    wait_for(lambda: [sock.recv(1) for sock in accepted] == [b""] * 3)  # CLOSE_WAIT
    assert room.listener()["connections"] == 3
    hang_up(accepted)
    room.becomes(connections=0)


def test_who_ends_a_connection_is_told(room):
    room.attach()
    listener = room.listen()
    callers = room.call(6)
    accepted = accept(listener, 6)
    hang_up(accepted[:1])
    hang_up(callers[1:3])
    wait_for(lambda: [sock.recv(1) for sock in accepted[1:3]] == [b""] * 2)  # theirs came before ours goes
    room.becomes(closed_by={"local": 1, "remote": 0, "reset": 0}, connections=5)
    hang_up(accepted[1:3])
    hang_up(callers[3:], reset=True)
    row = room.becomes(closed_by={"local": 1, "remote": 2, "reset": 3}, connections=0)
    assert 0 < row["hold_seconds_p50"] < 60


def test_a_second_that_is_over_has_its_rate(room):
    room.attach()
    room.listen()
    room.call(20)
    wait_for(lambda: room.listener()["new_per_second"] == 2.0)  # 20 in the last 10 whole seconds


# ---- whose connections ----------------------------------------------------------------------------


def test_other_namespaces_and_other_ports_are_not_counted(room):
    room.attach()
    room.listen("192.0.2.2", netns=room.outside)
    room.call(4, "192.0.2.2", netns=room.outside)
    assert room.tcp()["listeners"] == []
    assert all(row["opened"] == 0 for row in room.map_values("dg_tcp_rows"))
    room.listen()  # and this one, the same way, is
    room.call(4)
    room.becomes(connections=4)


def test_listener_on_any_address_has_the_connections_of_all(room):
    room.attach()
    room.listen("::")
    room.call(2, SERVER)
    room.call(3, SERVER6)
    room.becomes("[::]:53", connections=5)


def test_listener_on_any_ipv4_address_has_them_too(room):
    room.attach()
    room.listen("0.0.0.0")
    room.call(2, SERVER)
    room.call(1, "127.0.0.1", netns=room.inside)
    room.becomes("0.0.0.0:53", connections=3)


# ---- start, replacement, end ----------------------------------------------------------------------


def test_connections_from_before_the_guard_are_counted(room):
    listener = room.listen()
    callers = room.call(9)
    accepted = accept(listener, 9)
    room.attach()
    room.becomes(connections=9, peak=9)
    hang_up(callers[:4])
    hang_up(accepted[:4])
    room.becomes(connections=5, hold_seconds_p50=None)  # when they began is not known


def program(room):
    shown = run("bpftool", "link", "show", "pinned", room.bpffs / "dnsguard" / "progs" / "tcpstate").stdout
    return int(shown.split("prog ")[1].split()[0])


def test_replacement_counts_nothing_twice_and_misses_nothing(room):
    room.attach()
    listener = room.listen()
    callers = room.call(5)
    accepted = accept(listener, 5)
    before = room.becomes(connections=5), program(room)
    assert room.attach()["replaced"]
    after = room.listener(), program(room)
    assert after[0]["opened"] == before[0]["opened"] == 5 and after[1] != before[1]
    room.call(2)
    hang_up(callers[:1])
    hang_up(accepted[:1])
    row = room.becomes(connections=6, opened=7, peak=7, closed_by={"local": 0, "remote": 1, "reset": 0})
    assert row["hold_seconds_p50"] > 0  # its beginning outlived the program that saw it


def test_connections_missed_while_nobody_counted_are_found(room):
    room.attach()
    room.listen()
    room.call(3)
    room.becomes(connections=3)
    os.unlink(room.bpffs / "dnsguard" / "progs" / "tcpstate")
    room.call(4)
    assert room.tcp()["counted"] is room.status()["tcp"]["connections_counted"] is False
    assert room.listener()["connections"] is None
    room.attach()
    room.becomes(connections=7)


def test_program_goes_with_the_last_device_and_not_before(room):
    room.make_device("second", "peer2")
    room.attach()
    room.cli("attach", "second")
    room.cli("detach", "guarded")
    assert room.tcp()["counted"] is room.status()["tcp"]["connections_counted"] is True
    room.cli("detach", "second")
    assert not (room.bpffs / "dnsguard" / "progs" / "tcpstate").exists()
    assert room.tcp()["counted"] is False


def test_a_refused_program_hinders_nothing_and_is_said(room):
    room.attach()
    in_the_way = room.bpffs / "dnsguard" / "progs" / "tcpstate-new"
    in_the_way.mkdir()
    done = room.attach()
    in_the_way.rmdir()
    assert done["replaced"] and "TCP connections are not counted" in done["note"]
    room.listen()
    room.call(2)
    room.becomes(connections=2)  # the earlier program stayed in charge
