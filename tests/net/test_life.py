# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to the guard while queries flow: replacement, a killed daemon, a device that goes down and up."""
import signal

import pytest

import house as h
from guarded import Daemon, run, wait_for

REPLACEMENTS = 100
NOERROR, NXDOMAIN = "0", "3"
# So few wait at a time that no queue on the way can overflow, however busy the machine is: a resolver that sleeps for 300 ms
# loses queries of an open-loop client in its own receive buffer. Who waits here for 30 seconds has lost one to the guard.
STEADY = ["--from", h.HONEST, "--sources", "50", "--rate", "1000", "--window", "32", "--timeout-ms", "30000"]
ALLOWED = [*STEADY, "--names", "www#.lab.example", "--numbers", "100"]
BLOCKED = [*STEADY, "--names", h.BLOCKED, "--expect", "3"]  # the resolver knows it: unguarded, it says NOERROR


@pytest.fixture
def guarded(house):
    h.unbound(house)
    house.cli("attach", "guarded")
    house.cli("limit", "set", "--mode", "off")
    house.cli("block", h.BLOCKED)
    return house


def stop(child):
    child.send_signal(signal.SIGINT)
    return h.result(child)


def nothing_was_lost(outcome, rcode):
    """Every query has its answer, and it is the right one."""
    assert outcome["answered"] == outcome["sent"] > 500, outcome
    assert set(outcome["rcodes"]) == {rcode} and outcome["wrong"] == 0, outcome


def judged(house):
    """Queries that the guard has answered, and has let pass."""
    verdicts = house.status()["verdicts"]
    return verdicts["reply_sinkhole"]["frames"], verdicts["pass_clean"]["frames"]


def test_replacement_under_load_loses_no_query(guarded):
    """Attach again, 100 times, through one link; a blocked and an allowed stream never miss an answer.

    Each program judges some of both, and together they have judged all that was sent."""
    blocked = guarded.load("ask", *BLOCKED, "--seconds", "3600")
    allowed = guarded.load("ask", *ALLOWED, "--seconds", "3600")
    link, first = guarded.link()
    programs = set()
    for _ in range(REPLACEMENTS):
        guarded.cli("attach", "guarded")
        programs.add(guarded.link()[1])
        seen = judged(guarded)
        wait_for(lambda: all(now > before for now, before in zip(judged(guarded), seen)))
    assert guarded.link()[0] == link and len(programs - {first}) == REPLACEMENTS
    blocked, allowed = stop(blocked), stop(allowed)
    nothing_was_lost(blocked, NXDOMAIN)
    nothing_was_lost(allowed, NOERROR)
    assert judged(guarded) == (blocked["sent"], allowed["sent"])


def test_a_killed_daemon_is_not_missed_and_its_successor_adopts(house):
    """kill -9: blocked names stay blocked without a gap, counters go on, the link is the same one afterwards."""
    h.unbound(house)
    daemon = Daemon(house, config="interfaces: [guarded]\nlimits: {mode: observe}\n").ready()
    house.cli("block", h.BLOCKED)
    asking = house.load("ask", *BLOCKED, "--seconds", "3600")
    wait_for(lambda: house.frames("reply_sinkhole") > 100)
    link = house.link()
    daemon.stop(signal.SIGKILL)
    killed_at = house.frames("reply_sinkhole")
    wait_for(lambda: house.frames("reply_sinkhole") > killed_at + 500)
    assert house.link() == link
    successor = Daemon(house, config="interfaces: [guarded]\nlimits: {mode: observe}\n").ready()
    assert house.link()[0] == link[0]
    assert successor.packets("reply_sinkhole") > killed_at
    nothing_was_lost(stop(asking), NXDOMAIN)
    assert successor.stop() == 0 and house.link()[0] == link[0]  # SIGTERM leaves the filter in place


def test_a_ban_ends_on_time_without_a_daemon(house):
    """The deadline is in the entry; nobody has to come and take it away."""
    h.unbound(house)
    house.cli("attach", "guarded")
    query = bytes.fromhex("000101000001000000000000") + b"\x07allowed\x07example\0" + bytes([0, 1, 0, 1])
    house.cli("source", "ban", h.CLIENT4, "--for", "1h")
    assert h.ask(house.outside, h.UNBOUND4, query, timeout=0.1) is None
    wait_for(lambda: house.frames("drop_banned") == 1)
    house.cli("source", "ban", h.CLIENT4, "--for", "1s")
    wait_for(lambda: h.ask(house.outside, h.UNBOUND4, query, timeout=0.1))


def test_device_down_and_up(guarded):
    """The link stays with the device; the first query afterwards is judged again."""
    link = guarded.link()
    guarded.inside.ip("link", "set", "guarded", "down")
    assert guarded.link() == link
    guarded.inside.ip("link", "set", "guarded", "up")
    guarded.inside.ip("route", "replace", h.HONEST, "via", h.CLIENT4)
    outcome = h.result(guarded.load("ask", *BLOCKED, "--seconds", "1"))
    assert outcome["answered"] == outcome["sent"], outcome


def test_only_detach_takes_the_guard_away(guarded):
    """Everything that ran has ended; the guard has not. Then it is asked to."""
    asked = ["--from", h.CLIENT4, "--names", h.BLOCKED, "--rate", "100", "--seconds", "1"]
    assert h.result(guarded.load("ask", *asked, "--expect", "3"))["answered_percent"] == 100
    guarded.cli("detach", "guarded")
    assert h.result(guarded.load("ask", *asked, "--expect", "0"))["answered_percent"] == 100


def test_an_image_swap_under_load_misanswers_nothing(guarded, tmp_path):
    """Lists with and without other names come and go; the operator's block and an unlisted name never notice."""
    lists = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for number, path in enumerate(lists):
        path.write_text("".join(f"name{i}.list{number}.example\n" for i in range(20000)))
    allowed = guarded.load("ask", *ALLOWED, "--seconds", "3600")
    blocked = guarded.load("ask", *BLOCKED, "--seconds", "3600")
    for turn in range(40):
        publish(guarded, lists[turn % 2], tmp_path / "image")
    nothing_was_lost(stop(blocked), NXDOMAIN)
    nothing_was_lost(stop(allowed), NOERROR)


def publish(house, names, image):
    """What a list refresh does: compile for this guard's key, swap."""
    run(h.BUILD / "dnsguard-compile", "--key", f"{house.dir}/state/key", "-o", image, "--list", "listed", names)
    house.cli("image", "load", image)
