# SPDX-License-Identifier: GPL-2.0-or-later
"""One response policy zone in three places: the guard, BIND and Unbound; 10,000 questions, over UDP, to all of them.

A policy-free BIND and a policy-free Unbound stand behind the guard, and each is compared with the resolver of its own
kind that has the zone: RCODE, TC, answer section, authority section, presence of OPT, and who gets no answer at all.
What may differ is in the two tables below, each row with its reason. A row takes exactly its own difference away; what is
left must be equal, and a row that no question needs fails as well. DG_RPZ_SEEDS="1 2 3" tries other zones.
"""
import bisect
import itertools
import os
import random
from collections import Counter
from dataclasses import replace

import dns.message
import pytest

import policy
from house import NAMED4, UNBOUND4
from resolvers import POLICY_NAMED, POLICY_UNBOUND, told

QUESTIONS = 10000
SEEDS = [int(seed) for seed in os.environ.get("DG_RPZ_SEEDS", "1").split()]
KINDS = {".": "NXDOMAIN", "*.": "NODATA", "rpz-passthru.": "pass", "rpz-tcp-only.": "truncated", "rpz-drop.": "drop"}


# ---- which trigger decides ------------------------------------------------------------------------


def ancestors(name):
    """The name and all above it, the root left out."""
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


class Decider:
    """The trigger that decides for a name, by RFC 4592 section 3.3.1: nothing above the closest encloser counts."""

    def __init__(self, found):
        self.found = found
        self.exists = {name for owner in found for name in ancestors(owner)}

    def owner(self, name):
        if name in self.exists:
            return name if name in self.found else None
        encloser = next((above for above in ancestors(name)[1:] if above in self.exists), None)
        return f"*.{encloser}" if f"*.{encloser}" in self.found else None


class UnboundDecider(Decider):
    """Unbound 1.17 (rpz_find_zone): the encloser is what a name shares with the trigger before it, shorter labels first."""

    @staticmethod
    def key(name):
        return [(len(label), label) for label in reversed(name.split("."))]

    def __init__(self, found):
        super().__init__(found)
        self.order = sorted(map(self.key, found))

    def owner(self, name):
        if name in self.found:
            return name
        before = self.order[max(bisect.bisect(self.order, self.key(name)) - 1, 0)]
        shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(self.key(name), before))
        star = ".".join(["*", *reversed([label for (_, label), _ in shared])])
        return star if star in self.found else None


# ---- what may differ ------------------------------------------------------------------------------
#
# Each takes the case and both answers and gives them back without its difference.


class Case:
    """A question, and what the zone says of it by either way of deciding."""

    def __init__(self, zone, question):
        self.name, self.kind, _ = question
        self.lower = self.name.lower()
        self.zone = zone
        self.owner, self.unbounds_owner = (way.owner(self.lower) for way in (zone.decider, zone.unbound_decider))


def negative_soa(case, ours, theirs):
    if ours.answer or theirs.authority or len(ours.authority) != 1:
        return ours, theirs
    owner, kind, mname = ours.authority[0].lower().rstrip(".").split()[:3]
    owner = owner.rstrip(".")
    listed = owner in case.zone.found or f"*.{owner}" in case.zone.found
    fits = kind == "soa" and mname == f"{owner}." and listed and owner in ancestors(case.lower)
    return (replace(ours, authority=()), theirs) if fits else (ours, theirs)


def policy_ns(case, ours, theirs):
    drop = theirs.authority == ("rpz. NS ns.",) and not ours.authority and case.zone.is_data(case.owner)
    return ours, replace(theirs, authority=()) if drop else theirs


def owners_case(case, ours, theirs):
    same = case.zone.is_data(case.owner) and lowered(ours.answer) == lowered(theirs.answer)
    mine = same and all(record.split()[0] == f"{case.name}." for record in ours.answer)
    return ours, replace(theirs, answer=ours.answer) if mine else theirs


def less_of_it(ours, theirs):
    """The one record that the guard gives, as they write it; () when they do not have it."""
    return tuple(record for record in theirs.answer if len(theirs.answer) > 1 and (record.lower(),) == lowered(ours.answer))


def lowered(answer):
    return tuple(record.lower() for record in answer)


def one_rrset(case, ours, theirs):
    same = less_of_it(ours, theirs)
    mine = same and case.kind == "ANY" and case.zone.is_data(case.owner) and case.owner != policy.TWICE
    return ours, replace(theirs, answer=same) if mine else theirs


def tcp_only_rcode(case, ours, theirs):
    both = ours.truncated and theirs.truncated and not ours.answer and case.zone.action(case.owner) == "truncated"
    return ours, replace(theirs, rcode=ours.rcode) if both and theirs.rcode == 3 else theirs


def room_of_512(case, ours, theirs):
    """What ANY gets there may be another RRset, then."""
    long = len(case.name) > 180 and not ours.has_opt and case.zone.is_data(case.owner)
    if not (long and theirs.truncated and case.zone.explains(case.owner, case, replace(theirs, truncated=False))):
        return ours, theirs
    return ours, replace(theirs, truncated=False, answer=ours.answer if case.kind == "ANY" else theirs.answer)


def second_address(case, ours, theirs):
    same = less_of_it(ours, theirs)
    return ours, replace(theirs, answer=same) if same and case.owner == policy.TWICE else theirs


def other_data(case, ours, theirs):
    """Left to the resolver, which knows nothing of these names."""
    passed = case.owner in policy.NO_ANSWER_HERE and ours.rcode == 3 and ours.authority[0].startswith(". SOA")
    return (theirs, theirs) if passed else (ours, theirs)


def any_of_data(case, ours, theirs):
    mine = case.kind == "ANY" and case.zone.is_data(case.owner) and len(ours.answer) == 1 and not theirs.answer
    return ours, replace(theirs, answer=ours.answer) if mine and theirs.rcode == 0 else theirs


def any_of_cache(case, ours, theirs):
    both = case.kind == "ANY" and case.zone.action(case.owner) == "pass" and ours.answer and theirs.answer
    subset = both and (set(ours.answer) <= set(theirs.answer) or set(theirs.answer) <= set(ours.answer))
    return ours, replace(theirs, answer=ours.answer) if subset else theirs


def empty_non_terminal(case, ours, theirs):
    """Both answers must be what either way of deciding makes of the zone."""
    if case.owner == case.unbounds_owner:
        return ours, theirs
    fit = case.zone.explains(case.owner, case, ours) and case.zone.explains(case.unbounds_owner, case, theirs)
    return (ours, ours) if fit else (ours, theirs)


NEGATIVE_SOA = (negative_soa, "a negative answer without an SOA must not be cached (RFC 2308 section 5), so the guard sends one, "
                "of the name that decided; BIND puts the policy zone's SOA into the additional section, Unbound sends none")
OTHER_DATA = (other_data, "local data other than addresses, and CNAME to another name, cannot be answered without a resolver: "
              "counted as unsupported when the list is read, the name passes")
SECOND_ADDRESS = (second_address,
                  "one address of each family for a name: the second is counted as unsupported when the list is read")
WITH_BIND = [
    NEGATIVE_SOA, SECOND_ADDRESS, OTHER_DATA,
    (tcp_only_rcode, "tcp-only: BIND resolves first and says TC with the RCODE that it found; the guard cannot know it"),
    (room_of_512, "BIND repeats a long owner in the zone's case, uncompressed, and adds NS: over 512 octets without OPT"),
    (policy_ns, "BIND shows the policy zone's NS as the authority of local data; the guard has no such zone"),
    (one_rrset, "ANY gets one RRset (RFC 8482), so that no answer is larger than it needs to be"),
    (owners_case, "BIND writes the owner of local data in its own case; the guard in the question's (0x20)"),
]
WITH_UNBOUND = [
    NEGATIVE_SOA, SECOND_ADDRESS, OTHER_DATA,
    (any_of_data, "ANY for local data: Unbound says NODATA although it has some; the guard gives one RRset"),
]
# Whether it occurs depends on what was asked shortly before, and of whom.
RARE = (any_of_cache, "ANY for a name that passes: Unbound gives what its cache happens to have")
# May take away what silence is, too.
ALSO_OF_SILENCE = (empty_non_terminal, "a name that has no trigger but some below it exists and ends the reach of a wildcard above "
                   "it (RFC 4592 section 2.2.2), in BIND and here; Unbound sees it only when the trigger sorts before the question")


# ---- the zone -------------------------------------------------------------------------------------


class Zone:
    def __init__(self, found):
        self.found = {**found, **policy.FIXED}
        self.decider, self.unbound_decider = Decider(self.found), UnboundDecider(self.found)

    def is_data(self, owner):
        return isinstance(self.found.get(owner), tuple)

    def action(self, owner):
        said = self.found.get(owner, "rpz-passthru.")
        return KINDS.get(said, said) if isinstance(said, str) else "data"

    def explains(self, owner, case, answer):
        action = self.action(owner)
        if answer is None or action == "drop":
            return answer is None and action == "drop"
        from_policy = not any(record.startswith(". ") for record in answer.authority)
        if action == "data":
            given = {record.split()[1] for record in answer.answer}
            return from_policy and given <= set(self.found[owner]) and (case.kind == "ANY" or given <= {case.kind})
        shapes = {"NXDOMAIN": (3, False), "NODATA": (0, False), "truncated": (0, True)}
        if action in shapes:
            return from_policy and (answer.rcode, answer.truncated) == shapes[action] and not answer.answer
        return action == "pass" and not answer.truncated


def answers(house, server, asked):
    return [wire and told(dns.message.from_wire(wire)) for wire in house.ask(server, [wire for _, _, wire in asked])]


def remaining(zone, asked, ours, theirs, table):
    """What no row of the table explains, and how often each was needed."""
    needed, left = Counter(), []
    for question, mine, their in zip(asked, ours, theirs):
        case = Case(zone, question)
        pair = (mine, their)
        for row, _ in table:
            if None in pair and row is not empty_non_terminal:
                continue
            before, pair = pair, row(case, *pair)
            needed[row.__name__] += pair != before
        if pair[0] != pair[1]:
            left.append((question[:2], case.owner, zone.found.get(case.owner), mine, their))
    return left, needed


def check(zone, asked, ours, theirs, table):
    left, needed = remaining(zone, asked, ours, theirs, table)
    assert not left, f"{len(left)} differences that nobody explains, such as " + "\n".join(map(str, left[:3]))
    idle = [row.__name__ for row, reason in table if not needed[row.__name__] and (row, reason) != RARE]
    assert idle == [], "explained, but they do not occur"


def check_mix(zone, asked, ours):
    """Every action decided often, and so did none."""
    decided = Counter(zone.action(Case(zone, question).owner) for question in asked)
    for action in KINDS.values():
        assert decided[action] >= 30, decided
    assert decided["data"] >= 500 and sum(answer is None for answer in ours) == decided["drop"], decided


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_thousand_questions(house, seed):
    chance = random.Random(seed)
    names = policy.tree(chance)
    found = policy.triggers(chance, names)
    text = policy.policy_zone(chance, found)
    house.resolvers(policy.root_zone(chance, names), text)
    house.cli("list", "add", "rpz", house.write("feed", text), "--format", "rpz")
    asked = policy.questions(chance, names, QUESTIONS)
    zone = Zone(found)
    behind_guard = {server: answers(house, server, asked) for server in (NAMED4, UNBOUND4)}
    check_mix(zone, asked, behind_guard[NAMED4])
    check(zone, asked, behind_guard[NAMED4], answers(house, POLICY_NAMED, asked), WITH_BIND)
    check(zone, asked, behind_guard[UNBOUND4], answers(house, POLICY_UNBOUND, asked), [ALSO_OF_SILENCE, *WITH_UNBOUND, RARE])
    assert house.frames("drop_sinkhole") == sum(answer is None for server in behind_guard for answer in behind_guard[server])
