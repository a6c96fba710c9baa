# SPDX-License-Identifier: GPL-2.0-or-later
"""Four readers, one meaning: the kernel's parser compiled natively, the same in the kernel, the reference, dnspython.

Each message of the corpus is read by all. Accepted or refused, why, name, type, end, EDNS facts: no two may differ.
"""
import functools
import os
import struct
import subprocess
import sys

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bpf"))

import corpus
import judge
import replay
import rows
import wire
from book import Book
from message import Answer, lower

MESSAGES = corpus.messages(rows.write_book(), 25000)
NET = wire.WIRES[0]


class Read:
    """What one native reader says of one message."""

    def __init__(self, line):
        word = line.split()
        self.verdict, self.accepted = word[0], word[0] == "unsettled"  # DG_NEXT: the walk goes on
        if self.accepted:
            self.name = bytes.fromhex(word[1])
            (self.labels, self.qtype, self.end, self.edns, self.do, self.version, self.udp_size, self.cookie_len,
             self.hash_agrees) = map(int, word[2:])

    def facts(self):
        return {key: value for key, value in vars(self).items() if key != "name"}


@functools.lru_cache(maxsize=None)
def native():
    """[(parser's, reference's)] in the order of MESSAGES."""
    text = "\n".join(data.hex() for data in MESSAGES) + "\n"
    tool = os.path.join(replay.BUILD, "tests", "diff", "native")
    lines = subprocess.run([tool], input=text, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    assert len(lines) == 2 * len(MESSAGES)
    return [(Read(parser), Read(reference)) for parser, reference in zip(lines[::2], lines[1::2])]


def test_the_corpus_is_worth_it():
    said = [parser.verdict for parser, _ in native()]
    for verdict in ("unsettled", "pass_short", "pass_response", "pass_opcode", "pass_counts", "pass_bad_name", "pass_class",
                    "pass_records", "pass_signed", "pass_edns_version"):
        assert said.count(verdict) >= 30, "%s: %d of %d" % (verdict, said.count(verdict), len(said))


def test_parser_and_reference():
    for data, (parser, reference) in zip(MESSAGES, native()):
        assert parser.facts() == reference.facts(), data.hex()
        if parser.accepted:
            assert lower(parser.name) == reference.name, data.hex()
            assert parser.hash_agrees


# ---- dnspython ----------------------------------------------------------------------------------


@pytest.fixture(name="plain_options")
def _plain_options(monkeypatch):
    """What stands inside other people's options is no business of the guard: dnspython must not look either."""
    monkeypatch.setattr(dns.edns, "_type_to_class", {})
    monkeypatch.setattr(dns.edns, "get_option_class", lambda otype: dns.edns.GenericOption)


def dnspython(data):
    try:
        return dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None


def _cookies_fit(message):
    lengths = [len(option.data) for option in message.options if option.otype == 10]
    return len(lengths) <= 1 and all(length == 8 or 16 <= length <= 40 for length in lengths)


def _plain(data, message):
    """Is what dnspython read a query that the guard may act on? By the rules of the design page."""
    if message is None or message.flags & dns.flags.QR or message.opcode() or len(message.question) != 1:
        return False
    if message.answer or message.authority or message.additional or message.had_tsig:
        return False
    if struct.unpack_from("!3H", data, 4) != (1, 0, 0) or message.question[0].rdclass != dns.rdataclass.IN:
        return False
    raw = message.question[0].name.to_wire()
    end = 12 + len(raw) + 4
    if data[12 : 12 + len(raw)].lower() != raw.lower():  # compressed
        return False
    if message.edns < 0:
        return len(data) == end
    return message.edns == 0 and data[end] == 0 and len(message.options) <= 16 and _cookies_fit(message)


@pytest.mark.usefixtures("plain_options")
def test_parser_and_dnspython():
    accepted = 0
    for data, (parser, _) in zip(MESSAGES, native()):
        message = dnspython(data)
        assert parser.accepted == _plain(data, message), "%s: parser says %s" % (data.hex(), parser.verdict)
        if not parser.accepted:
            continue
        accepted += 1
        question = message.question[0]
        assert dns.name.from_wire(parser.name, 0)[0] == question.name and parser.labels == len(question.name) - 1
        assert parser.qtype == question.rdtype and parser.end == 12 + len(parser.name) + 4
        assert parser.edns == (message.edns >= 0) and parser.do == bool(message.ednsflags & dns.flags.DO)
        assert parser.udp_size == max(512, message.payload)
        assert parser.cookie_len == sum(len(option.data) for option in message.options if option.otype == 10)
    assert accepted > 1000


# ---- the kernel ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def kernel():
    """Every accepted name is put into the image: the kernel then finds each under the hash of its lower case."""
    book = Book()
    book.scene("differential")
    names = dict.fromkeys(reference.name for _, reference in native() if reference.accepted and reference.labels)
    book.image((Answer(text="corpus"), *names))
    book.set(watch_until_ns=2**63, watch_verdicts=2**64 - 1, watch_per_sec=2**31)
    for data in MESSAGES:
        book.say("in", NET.udp(data).hex())
        book.say("ask", 0)
    book.say("tally", "every message has one verdict")
    return replay.Replay(book.lines, "differential")


def test_kernel_ran():
    assert kernel().status == 0, kernel().bail or kernel().notes
    assert len(kernel().shown) == len(MESSAGES)


def test_kernel_and_parser_say_the_same():
    for data, (parser, _), shown in zip(MESSAGES, native(), kernel().shown):
        if not parser.accepted:
            assert shown.verdict == parser.verdict, data.hex()
            continue
        listed = parser.labels > 0
        assert shown.verdict == ("reply_sinkhole" if listed else "pass_clean"), data.hex()
        if listed:
            assert (shown.list, shown.match_labels) == (1, parser.labels), data.hex()


def test_kernel_tells_the_question_it_read():
    told = 0
    for data, (parser, _), shown in zip(MESSAGES, native(), kernel().shown):
        event = shown.event
        assert event and event["count"] == 1 and event["verdict"] == shown.verdict
        if parser.accepted:
            told += 1
            assert (event["name"], event["qtype"]) == (parser.name, parser.qtype), data.hex()
        elif event["name"]:
            assert data[12 : 12 + len(event["name"])] == event["name"], data.hex()
        assert event["frame_len"] == NET.l4 + 8 + len(data)
    assert told > 1000


def test_kernel_answers_carry_the_edns_facts():
    answers = 0
    for data, (parser, _), shown in zip(MESSAGES, native(), kernel().shown):
        if shown.action != replay.XDP_TX:
            continue
        message = judge.judge(NET.udp(data), shown.frame)
        assert (message.edns >= 0) == bool(parser.edns) and bool(message.ednsflags & dns.flags.DO) == bool(parser.do)
        answers += 1
    assert answers > 1000
