# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods in front of a real Unbound: honest clients keep their answers. Figures are tests/bench's; this is yes or no."""
import os
import signal

import pytest

import house as h
from guarded import run, wait_for

FLOODS = {
    "one source": ["--from", h.FLOODERS.split("/")[0], "--names", h.ALLOWED],
    "1,000 sources": ["--from", h.FLOODERS, "--sources", "1000", "--names", h.ALLOWED],
    "random names": ["--from", h.FLOODERS.split("/")[0], "--names", "*.lab.example"],
}
HONEST = ["--from", h.HONEST, "--sources", "100", "--rate", "500", "--names", "www#.lab.example", "--numbers", "100"]
RATE, BURST = 20, 40  # a second and source; an honest client asks 5
SENDERS = {"1,000 sources": 4 * 32}  # in four /24, each of which may have what 32 senders may
ENOUGH = 99.0  # percent; other tests share the two cores
HARD = ["nice", "-n", "-20"]  # who is elsewhere, flood or client, is not slower because this machine is busy


@pytest.fixture
def flooded(house):
    """Unbound behind the guard, 20 queries a second a source, what is over is dropped."""
    h.unbound(house)
    house.cli("attach", "guarded")
    house.cli("limit", "set", "--rate-limit", str(RATE), "--instant-limit", str(BURST), "--slip", "0")
    return house


def seen(house):
    return house.status()["interfaces"][0]["frames"]


def counted(house, flooder):
    """What was sent, once all of it has been judged: its sender ends before the last frame has arrived."""
    sent = h.result(flooder)
    wait_for(lambda: seen(house) >= sent["frames"])
    return sent


def turned_back(house):
    """Datagrams for which the clients' own device had no room: its ring of 256 is full when the other end gets no processor."""
    lines = run(*house.outside.enter("cat", "/proc/net/snmp")).stdout.splitlines()
    names, values = [line.split() for line in lines if line.startswith("Udp:")]
    return int(values[names.index("SndbufErrors")])


def measure(house, flood, wrap=()):
    """Honest clients for 2 s within the flood, once every source had its burst: (what they got, the flood)."""
    flooder = house.load("flood", *flood, "--seconds", "300", "--cpu", "0", wrap=wrap)
    wait_for(lambda: seen(house) > 50000)
    honest = h.result(house.load("ask", *HONEST, "--seconds", "2", wrap=HARD))
    flooder.send_signal(signal.SIGINT)
    honest["arrived"] = honest["sent"] - turned_back(house)
    return honest, h.result(flooder)


@pytest.mark.parametrize("flood", FLOODS)
def test_honest_clients_are_answered(flooded, flood):
    honest, sent = measure(flooded, FLOODS[flood])
    assert honest["arrived"] >= 0.9 * honest["sent"], (honest, sent)
    assert honest["answered"] >= ENOUGH / 100 * honest["arrived"], (honest, sent)
    assert honest["wrong"] == 0
    due = SENDERS.get(flood, 1) * (RATE * sent["seconds"] + BURST)
    assert sent["frames"] > 10000 + due
    wait_for(lambda: flooded.frames("drop_limited") >= sent["frames"] - 1.1 * due)


def test_without_the_guard_they_are_not(flooded):
    """The twin: paused, every frame of the same flood goes on to the resolver, and it hurts."""
    flooded.cli("pause", "5m")
    honest, sent = measure(flooded, FLOODS["random names"], wrap=HARD)
    assert sent["frames"] > 10000
    wait_for(lambda: flooded.frames("pass_paused") >= sent["frames"])
    assert flooded.frames("drop_limited") == 0
    assert honest["answered_percent"] < 90, (honest, sent)


def test_one_sender_gets_its_limit_and_no_more(flooded):
    """Sustained rate times 3 s, and the burst once, within a tenth (jiffies at either end)."""
    sent = counted(flooded, flooded.load("flood", *FLOODS["one source"], "--seconds", "3", wrap=HARD))
    passed = flooded.frames("pass_clean")
    due = RATE * sent["seconds"] + BURST
    assert abs(passed - due) <= 0.1 * due


def test_observed_the_same_flood_passes_under_its_own_label(flooded):
    flooded.cli("limit", "set", "--mode", "observe")
    sent = counted(flooded, flooded.load("flood", *FLOODS["one source"], "--seconds", "1", "--rate", "2000"))
    verdicts = flooded.status()["verdicts"]
    assert verdicts["drop_limited"]["frames"] == 0
    assert verdicts["pass_observed_limited"]["frames"] + verdicts["pass_clean"]["frames"] == sent["frames"]
    assert verdicts["pass_observed_limited"]["frames"] > 0.9 * sent["frames"]


def test_slip_answers_every_second_refused_query_truncated(flooded):
    flooded.cli("limit", "set", "--slip", "2")
    sent = counted(flooded, flooded.load("flood", *FLOODS["one source"], "--seconds", "1", "--rate", "2000"))
    verdicts = flooded.status()["verdicts"]
    dropped, truncated = verdicts["drop_limited"]["frames"], verdicts["reply_truncated"]["frames"]
    assert dropped + truncated + verdicts["pass_clean"]["frames"] == sent["frames"]
    assert abs(dropped - truncated) <= os.cpu_count()  # one turn a CPU


def test_first_syns_are_counted(flooded):
    sent = counted(flooded, flooded.load("syn", "--from", h.FLOODERS, "--sources", "100", "--rate", "2000", "--seconds", "1"))
    status = flooded.status()
    assert status["tcp"]["syn"] == status["verdicts"]["pass_tcp"]["frames"] == sent["frames"]
    assert status["tcp"]["syn_retransmitted"] == 0
