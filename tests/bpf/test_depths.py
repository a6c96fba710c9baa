# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of up to 127 labels and 255 octets: what is listed, allowed or blocked at each depth of one long chain.

Every depth of the chain has an entry, so every suffix of a question is looked up: the longest walk there is. What must
come out is worked out here from the sentences of the design page: the operator's allow at any depth, then his deepest
block, then of the lists the most specific entry, in its scope.
"""
import random

import pytest

import message as dns
import wire
from book import BELOW, SECOND, SELF, Book
from replay import Replay

DEPTHS = 127
ALLOW, BLOCK = dns.Answer(dns.ALLOW), dns.Answer(dns.DROP)
LISTS = (dns.Answer(dns.DROP, text="one"), dns.Answer(dns.ALLOW, text="two"), dns.Answer(dns.DROP, text="three"))
NETS = (wire.WIRES[0], wire.WIRES[5])


def _chain(depth, letter=b"q"):
    return dns.labels(*[letter] * depth)


def _lists(chance, whole):
    """depth -> {scope: list}. `whole`: at every depth something, most of it for the name itself."""
    found = {}
    for depth in range(1, DEPTHS + 1):
        scopes = chance.choice(([SELF], [SELF], [BELOW], [SELF, BELOW])) if whole or chance.random() < 0.2 else []
        found[depth] = {scope: chance.randint(1, 3) for scope in scopes}
    return found


def _owns(chance, count):
    """depth -> (kind, deadline)."""
    return {depth: (chance.choice((ALLOW, BLOCK, BLOCK, BLOCK)), chance.choice((0, 0, SECOND, SECOND + 1)))
            for depth in chance.sample(range(1, DEPTHS + 1), count)}


def _decides(lists, owns, labels, now=SECOND):
    """(verdict, list, labels of the entry or None where any will do)."""
    live = {depth: kind for depth, (kind, until) in owns.items() if depth <= labels and (not until or now < until)}
    if ALLOW in live.values():
        return "pass_allowed", 0, None
    if live:
        return "drop_sinkhole", 0, max(live)
    for depth in range(labels, 0, -1):
        number = lists[depth].get(SELF if depth == labels else BELOW)
        if number:
            return ("pass_allowed" if number == 2 else "drop_sinkhole"), number, depth
    return "pass_clean", 0xffff, 0


def _scene(book, title, lists, owns):
    book.scene(title)
    book.image(*((answer, *[(dns.text_of(_chain(depth)), scope) for depth, found in lists.items()
                            for scope, number in found.items() if number == index])
                 for index, answer in enumerate(LISTS, 1)))
    for depth, (kind, until) in owns.items():
        book.own(_chain(depth), kind, until)


def _ask(book, net, want):
    for labels in range(1, DEPTHS + 1):
        for letter in (b"q", b"Q"):
            book.say("in", net.udp(dns.Query(_chain(labels, letter)).wire).hex())
            book.say("ask", 0)
            want.append((labels, net))


@pytest.mark.parametrize("seed", range(12))
def test_each_depth(seed):
    chance = random.Random(seed)
    lists, owns = _lists(chance, seed % 2 == 0), _owns(chance, (0, 1, 3, 8)[seed // 2 % 4])
    book, asked = Book(), []
    _scene(book, "a chain of %d labels" % DEPTHS, lists, owns)
    for net in NETS:
        _ask(book, net, asked)
    book.say("tally", "every question has one verdict")
    run = Replay(book.lines, "depths-%d" % seed)
    assert run.status == 0, run.bail or run.notes
    assert len(run.shown) == len(asked) == 4 * DEPTHS
    for (labels, net), shown in zip(asked, run.shown):
        verdict, number, depth = _decides(lists, owns, labels)
        assert (shown.verdict, shown.list) == (verdict, number), "%d labels (%s)" % (labels, net.name)
        assert depth is None or shown.match_labels == depth, "%d labels (%s)" % (labels, net.name)
