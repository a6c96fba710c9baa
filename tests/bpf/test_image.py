# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of names in one image: each is found, with its own list, at every depth, and nothing else is.

What must be found is decided here by plain dictionaries of names.
"""
import random

import message as dns
import wire
from book import Book
from replay import Replay

LISTS = (dns.Answer(dns.NX, text="one"), dns.Answer(dns.REFUSE, text="two"), dns.Answer(dns.NODATA, text="three"))
NET = wire.WIRES[0]


def _names(chance, count):
    """Names that share parents, so that one is often below another."""
    found = [("t%d" % top,) for top in range(40)]
    while len(found) < count:
        found.append(("n%x" % chance.randrange(4000), *chance.choice(found))[:100])
    return list(dict.fromkeys(found))


def _listed(names, chance):
    """name -> list number; a third of the names only."""
    return {name: chance.randint(1, 3) for name in names if len(name) > 1 and chance.random() < 0.34}


def _decides(listed, name):
    """(list, labels) of the most specific listed suffix, or None."""
    for at in range(len(name)):
        if name[at:] in listed:
            return listed[name[at:]], len(name) - at
    return None


def _questions(names, chance):
    for name in names:
        yield name
        yield ("www", *name)
        yield ("x" + name[0], *name[1:])
        yield (name[0] + "x", *name[1:])
        if chance.random() < 0.2:
            yield (*("d%d" % depth for depth in range(chance.randrange(90))), *name)


def test_each_name_is_found_and_no_other():
    chance = random.Random(4711)
    names = _names(chance, 20000)
    listed = _listed(names, chance)
    asked = [name for name in _questions(names, chance) if sum(len(part) + 1 for part in name) < 254]
    book = Book()
    book.scene("image of thousands")
    book.image(*((answer, *[".".join(name) for name, number in listed.items() if number == index])
                 for index, answer in enumerate(LISTS, 1)))
    for name in asked:
        book.say("in", NET.udp(dns.Query(dns.labels(*name)).wire).hex())
        book.say("ask", 0)
    book.say("tally", "every question has one verdict")
    run = Replay(book.lines, "image")
    assert run.status == 0, run.bail or run.notes
    found = [_decides(listed, name) for name in asked]
    assert found.count(None) > 10000 and len(found) - found.count(None) > 30000, "the mix is worth it"
    for name, want, shown in zip(asked, found, run.shown):
        got = (shown.list, shown.match_labels) if shown.verdict == "reply_sinkhole" else None
        assert got == want, "%s: %s, %s" % (".".join(name), shown.verdict, got)
