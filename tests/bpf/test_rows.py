# SPDX-License-Identifier: GPL-2.0-or-later
"""Every row of the book: replay's own judgement, then the answer once more as dnspython sees it."""
import functools
import os
import re

import pytest

import cookie
import judge
import message as dns
import rows
import wire
from replay import ROOT, Replay

BOOK = rows.write_book()
# No frame reaches these: a defect's label, a map of fixed size without a value, a linear frame that cannot grow.
UNREACHABLE = {"unsettled", "pass_no_state", "pass_no_room"}


@functools.lru_cache(maxsize=None)
def replay():
    return Replay(BOOK.lines, "rows")


def _name(row):
    return "%s: %s (%s)" % (row["title"], row["sentence"], row["net"].name)


def _judge_cookie(row, found):
    sent = row["query"].option(dns.OPTION_COOKIE) if row["query"] else None
    if not sent or not row["facts"].get("secret"):
        assert 10 not in found, "a cookie nobody can vouch for"
        return
    asked = judge.Taken(row["frame"])
    unix = (row["now_ns"] + 1700000000 * 10**9) // 10**9
    want = sent[:8] + cookie.server_cookie(row["facts"]["secret"], sent[:8], asked.src, unix)
    assert found[10].to_wire() == want, "RFC 9018 cookie"


def _judge_ede(row, found):
    answer = row["facts"].get("answer")
    due = answer is not None and not answer.flags & dns.NO_EDE
    assert (15 in found) == due, "extended error"
    if due:
        assert found[15].code == answer.ede and (found[15].text or "") in (answer.text, "")


@pytest.mark.parametrize("number", range(len(BOOK.rows)), ids=lambda number: _name(BOOK.rows[number]))
def test_row(number):
    row, run = BOOK.rows[number], replay()
    assert len(run.cases) > number, "replay stopped before: %s %s" % (run.bail, run.stderr[-400:])
    held, sentence = run.cases[number]
    assert sentence == _name(row)
    assert held, "; ".join(run.notes[number])
    if row["out"] is None:
        return
    message = judge.judge(row["frame"], run.shown[number].frame)
    if message.edns >= 0:
        _judge_cookie(row, judge.options(message))
        _judge_ede(row, judge.options(message))


def test_every_verdict_has_a_row():
    with open(os.path.join(ROOT, "bpf", "abi.h"), encoding="ascii") as file:
        labels = set(re.findall(r'X\(\w+, (?:PASS|DROP|REPLY), "(\w+)"', file.read()))
    assert len(labels) >= 38 and UNREACHABLE <= labels
    assert {row["verdict"] for row in BOOK.rows} == labels - UNREACHABLE


def test_every_row_stands_for_both_families_and_all_tags():
    """Rows of one family alone are about that family's own headers."""
    wires = {}
    for row in BOOK.rows:
        title = row["title"].replace(row["net"].name, "")
        wires.setdefault((title, row["verdict"]), set()).add(row["net"].name)
    assert all(len(found) == 6 for found in wires.values()), [key for key, found in wires.items() if len(found) != 6]


def test_siphash_and_cookie_vectors():
    """Aumasson and Bernstein, appendix A; RFC 9018, appendix A.1 and A.4."""
    assert cookie.siphash24(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5
    for secret, client, address, unix, want in (
        ("e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100", 1559731985,
         "010000005cf79f111f8130c3eee29480"),
        ("dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741817,
         "010000005cf7c57926556bd0934c72f8")):
        got = cookie.server_cookie(bytes.fromhex(secret), bytes.fromhex(client), wire.address(address), unix)
        assert got.hex() == want


def test_checksum_routine():
    """RFC 1071 section 3 and RFC 768's own example of a header that sums to what it must."""
    assert wire.ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2
    assert wire.checksum(bytes.fromhex("45000073000040004011b861c0a80001c0a800c7")) == 0
    assert wire.checksum(bytes.fromhex("450000730000400040110000c0a80001c0a800c7")) == 0xB861
