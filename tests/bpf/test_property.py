# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for any octets: a frame that passes is untouched, an answer is an honest one, every frame is counted once.

Replay itself compares passed frames and adds up the counters (tally); answers are judged here.
"""
import pytest

import corpus
import judge
import rows
import wire
from book import ENFORCE, Book
from message import ADDRESS, DROP, NODATA, REFUSE, TRUNCATE, Answer, Query
from replay import XDP_DROP, XDP_PASS, XDP_TX, Replay

ROWS = rows.write_book()
# Suffixes that the corpus asks for, and the root's children most feeds of packets name.
LISTED = (("example", Answer()), ("test", Answer(ADDRESS, v4=bytes([192, 0, 2, 1]), v6=bytes(15) + b"\1")),
          ("com", Answer(NODATA)), ("org", Answer(REFUSE)), ("net", Answer(TRUNCATE)), ("arpa", Answer(DROP)),
          ("x", Answer(ADDRESS, v4=bytes([192, 0, 2, 1]))), ("n", Answer()), ("a", Answer()))


def _show(frames, title, limited=False):
    book = Book()
    book.scene(title)
    for suffix, answer in LISTED:
        book.own(suffix, answer)
    if limited:
        book.set(limit_mode=ENFORCE, slip=2)
        book.rate(1, 1)
    for frame in frames:
        book.say("in", frame.hex())
        book.say("ask", 0)
    book.say("tally", "what passes is untouched, and the verdicts add up")
    return Replay(book.lines, title.replace(" ", "-"))


def _check(run, frames):
    assert run.status == 0 and not run.bail, run.bail or run.notes or run.stderr[-400:]
    assert run.cases and all(held for held, _ in run.cases), run.notes
    assert len(run.shown) == len(frames)
    answers = 0
    for frame, shown in zip(frames, run.shown):
        assert shown.action in (XDP_DROP, XDP_PASS, XDP_TX)
        assert (shown.action == XDP_TX) == shown.verdict.startswith("reply_")
        if shown.action != XDP_TX:
            assert shown.frame == frame
            continue
        answers += 1
        try:
            judge.judge(frame, shown.frame)
        except Exception as error:
            raise AssertionError("%s: %s answered with %s" % (error, frame.hex(), shown.frame.hex())) from error
    return answers


def test_mutated_frames():
    frames = corpus.frames(ROWS, 60000)
    assert _check(_show(frames, "mutated frames"), frames) > 5000


@pytest.mark.parametrize("net", wire.WIRES, ids=lambda net: net.name)
def test_mutated_messages(net):
    frames = [net.udp(data) for data in corpus.messages(ROWS, 10000)]
    assert _check(_show(frames, "mutated messages, %s" % net.name), frames) > 500


def test_slips_of_mutated_messages():
    """Over the limit every second query is answered TC=1: the second way to an answer, held to the same rules."""
    frames = [wire.WIRES[0].udp(data) for data in corpus.messages(ROWS, 10000)]
    run = _show(frames, "slips of mutated messages", limited=True)
    assert _check(run, frames) > 200
    assert not [shown for shown in run.shown if shown.verdict == "reply_sinkhole"][1:], "the limit goes first"


def test_addresses_that_share_half_of_a_guarded_one():
    """The table of guarded addresses is hashed: of 4,000 addresses some must land beside the guarded one."""
    net, query, server = wire.WIRES[3], Query("example").wire, "2001:db8:53::53"
    frames = [net.udp(query, dst="2001:db8:%x:%x::53" % (turn, turn * turn & 0xFFFF)) for turn in range(100, 2100)]
    frames += [net.udp(query, dst="2001:db8:53::%x:53" % turn) for turn in range(1, 2001)]
    run = _show([*frames, net.udp(query, dst=server)], "half of a guarded address")
    _check(run, [*frames, net.udp(query, dst=server)])
    assert {shown.verdict for shown in run.shown[:-1]} == {"pass_not_service"}
    assert run.shown[-1].verdict == "reply_sinkhole", "twin: the guarded one itself"


@pytest.mark.parametrize("net", wire.WIRES, ids=lambda net: net.name)
def test_packets_from_elsewhere(net):
    packets, why = corpus.elsewhere()
    if why:
        pytest.skip(why)
    assert len(packets) > 100
    frames = [net.udp(data) for data in packets]
    _check(_show(frames, "packets from elsewhere, %s" % net.name), frames)
