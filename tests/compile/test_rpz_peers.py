"""One response policy zone, 10,000 questions: what BIND, Unbound and the guard make of each.

The guard's side is the whole way: dnsguard-compile reads the zone, the program in the kernel answers from its image.
Compared are RCODE, TC, the data of the answer section, and who gets no answer at all. With BIND there is no difference.
Those that remain are told here, with their reason; any other fails:

- Unbound: a name that has no trigger but some below it (an empty non-terminal) exists and stops a wildcard by RFC 4592,
  in BIND and here; Unbound's wildcard goes on.
- The authority section is not compared: the guard's negative answers carry an SOA of the name that decided, so that they
  may be cached (RFC 2308); BIND sends the policy zone's SOA in the additional section, Unbound none.
- ANY is not asked: one RRset here (RFC 8482).
"""

import random
import sys
from pathlib import Path

import dns.message
import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / room) for room in ("bpf", "lib")]
import message  # noqa: E402
import wire  # noqa: E402
from book import Book  # noqa: E402
from peers import LEFT_ALONE, PORTS, Peers, told  # noqa: E402
from replay import Replay  # noqa: E402

NET = wire.WIRES[0]
TARGETS = [(".", 30), ("*.", 15), ("rpz-passthru.", 15), ("rpz-tcp-only.", 10), ("rpz-drop.", 1), (None, 20)]
SCOPES = {"below": 1, "self": 2, "suffix": 3}
KINDS = {"allow": message.ALLOW, "nodata": message.NODATA, "truncate": message.TRUNCATE,
         "drop": message.DROP}
QUESTIONS = 10000


def make_zone(chance):
    """A tree of names, half of them triggers: the name, what is below it, or both."""
    names = ["t%d.example" % number for number in range(12)]
    while len(names) < 500:
        names.append("%s.%s" % (chance.choice("abcdefgh"), chance.choice(names)))
    names = list(dict.fromkeys(names))
    lines = ["$TTL 60", "@ SOA ns. root. 1 3600 600 86400 60", " NS ns."]
    owners = []
    for name in chance.sample(names, len(names) // 2):
        for star in chance.choice([("",), ("*.",), ("", "*.")]):
            owners.append(star + name)
            target = chance.choices(*zip(*TARGETS))[0]
            if target:
                lines.append("%s%s CNAME %s" % (star, name, target))
                continue
            families = chance.choice([("A",), ("AAAA",), ("A", "AAAA")])
            lines += ["%s%s %s %s" % (star, name, family, {"A": "192.0.2.%d", "AAAA": "2001:db8::%d"}[family] %
                                      chance.randrange(1, 200)) for family in families]
    return names, owners, "\n".join(lines) + "\n"


def make_questions(chance, names):
    asked = []
    for _ in range(QUESTIONS):
        name = chance.choice(names)
        for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
            name = "%s.%s" % (chance.choice("abcdefghxyz"), name)
        if chance.random() < 0.3:
            name = "".join(chance.choice([c.upper(), c]) for c in name)
        asked.append((name, chance.choice(["A", "A", "AAAA", "TXT"])))
    return asked


def answer_of(text):
    """None: the list's own."""
    if text == "nxdomain":
        return None
    if text in KINDS:
        return message.Answer(KINDS[text], text="rpz")
    found = {}
    for address in text.split(","):
        found["v6" if ":" in address else "v4"] = wire.address(address)
    return message.Answer(message.ADDRESS, text="rpz", **{key: value[-4:] if key == "v4" else value
                                                          for key, value in found.items()})


def guards_answers(room, policy, questions):
    """As the program answers them from an image with exactly the entries that the compiler made of the zone."""
    book = Book()
    book.scene("a policy zone")
    book.image((message.Answer(message.NX, text="rpz"),
                *[(name, SCOPES[scope], answer_of(answer)) for name, scope, answer in room.dump(("rpz,format=rpz", policy))]))
    for name, rtype in questions:
        query = dns.message.make_query(name, rtype, id=1)
        book.say("in", NET.udp(query.to_wire()).hex())
        book.say("ask", 0)
    book.say("tally", "every question has one verdict")
    run = Replay(book.lines, "rpz-peers")
    assert run.status == 0, run.bail or run.notes
    return [as_told(shown, rtype) for shown, (_, rtype) in zip(run.shown, questions)]


def as_told(shown, rtype):
    if shown.verdict in ("pass_clean", "pass_allowed"):
        return [0, False, [LEFT_ALONE[rtype]]]
    if shown.verdict == "drop_sinkhole":
        return None
    assert shown.verdict == "reply_sinkhole", shown.verdict
    return told(dns.message.from_wire(shown.frame[42:], ignore_trailing=True))


def has_empty_non_terminal(owners, name):
    """The name, or one above it, exists in the zone only because others are below it."""
    exists = {suffix for owner in owners for suffix in suffixes(owner)}
    return any(suffix in exists and suffix not in owners for suffix in suffixes(name.lower()) if suffix.count(".") > 1)


def suffixes(name):
    parts = name.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]


@pytest.mark.parametrize("seed", [11])
def test_ten_thousand_questions(room, tmp_path, seed):
    chance = random.Random(seed)
    names, owners, policy = make_zone(chance)
    questions = make_questions(chance, names)
    ours = guards_answers(room, policy, questions)
    tmp_path.chmod(0o755)
    peers = Peers(tmp_path, policy)
    try:
        theirs = {who: peers.ask_port(port, questions) for who, port in PORTS.items()}
    finally:
        peers.close()
    assert len({str(answer) for answer in ours}) > 50, "the mix is worth it"
    differences = {who: [(question, mine, their) for question, mine, their in zip(questions, ours, answers) if mine != their]
                   for who, answers in theirs.items()}
    assert differences["named"] == []
    assert all(has_empty_non_terminal(owners, question[0]) for question, _, _ in differences["unbound"])
    twins = [question for question in questions if not has_empty_non_terminal(owners, question[0])]
    assert len(twins) > 1000, "enough that Unbound must agree about"
