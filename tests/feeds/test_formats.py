# SPDX-License-Identifier: GPL-2.0-or-later
"""One set of names in every format: the guard's verdict on real queries is that of BIND and Unbound with the same meaning.

Everything exists in the resolvers' own data, so NXDOMAIN is a verdict and nothing else. Names stand in each other's
domains, in mixed case, and the questions are the names, what is below and beside them, their parents, and others.
"""
import random

import pytest

import policy
from house import UNBOUND4
from resolvers import POLICY_NAMED, POLICY_UNBOUND, FeedHouse

QUESTIONS = 2000
BLOCKED = 3  # RCODE
ALL_EXISTS = f"$TTL 300\n. {policy.SOA}\n. NS ns.\n" + "".join(f"{owner} A 192.0.2.9\n" for owner in ("ns.", "*."))
# Who says what is meant: BIND with a policy zone of the topmost names, and with one of all names, in which a name that has
# triggers below it, but none itself, ends the reach of a wildcard; Unbound with a policy zone of the names alone, with local
# zones, and with exceptions among them.
SUFFIX, EVERY_TRIGGER, EXACT, LOCAL_ZONES, EXCEPTED = POLICY_NAMED, "127.0.0.55", POLICY_UNBOUND, "127.0.0.56", "127.0.0.57"

BOTH = "{} CNAME .\n*.{} CNAME ."
# How a line of the format says "this name"; and whose verdict is meant.
FORMATS = {
    "hosts": (["0.0.0.0 {}"], SUFFIX), "domains": (["{}"], SUFFIX), "wildcard": (["*.{}"], SUFFIX), "adblock": (["||{}^"], SUFFIX),
    "dnsmasq": (["local=/{}/", "address=/{}/", "server=/{}/"], SUFFIX),
    "unbound": (['local-zone: "{}." always_nxdomain'], LOCAL_ZONES), "rpz": ([BOTH], EVERY_TRIGGER),
}
EXACT_FORMATS = {"hosts": ["0.0.0.0 {}"], "domains": ["{}"], "rpz": ["{} CNAME ."]}


def feed(names, templates):
    lines = [templates[number % len(templates)].replace("{}", name) for number, name in enumerate(names)]
    return "\n".join(lines) + "\n"


def zone(names, template):
    return f"$TTL 60\n@ {policy.SOA}\n NS ns.\n" + feed(names, [template])


def under(name, parents):
    return any(name.endswith("." + parent) for parent in parents)


class World:
    """The names, the questions, and what the resolvers make of them."""

    def __init__(self, house):
        chance = random.Random(7)
        tree = policy.tree(chance)
        self.house, self.lower = house, chance.sample(tree, len(tree) // 3)
        self.names = [policy.mixed_case(chance, name) if chance.random() < 0.3 else name for name in self.lower]
        self.excepted = chance.sample(tree, 40)
        self.asked = [wire for _, _, wire in policy.questions(chance, tree, QUESTIONS)]
        self.stand()
        self.verdicts = {where: self.blocked(where) for where in (SUFFIX, EVERY_TRIGGER, EXACT, LOCAL_ZONES, EXCEPTED)}

    def stand(self):
        house = self.house
        house.write("root.zone", ALL_EXISTS)
        house.unbound(house.inside, UNBOUND4)
        house.named(house.outside, SUFFIX, zone([name for name in self.lower if not under(name, self.lower)], BOTH))
        house.named(house.outside, EVERY_TRIGGER, zone(self.lower, BOTH))
        house.unbound(house.outside, EXACT, zone(self.lower, "{} CNAME ."))
        blocks = FORMATS["unbound"][0]
        house.unbound(house.outside, LOCAL_ZONES, more=feed(self.names, blocks))
        rest = [name for name in self.lower if name not in self.excepted and not under(name, self.excepted)]
        passing = feed(self.excepted, ['local-zone: "{}." always_transparent'])
        house.unbound(house.outside, EXCEPTED, more=feed(rest, blocks) + passing)

    def blocked(self, server):
        answers = self.house.ask(server, self.asked)
        assert None not in answers
        return [answer[3] & 0x0F == BLOCKED for answer in answers]

    def guards(self, text, *options):
        """The guard's verdicts with this list and no other."""
        self.house.cli("list", "add", "feed", self.house.write("feed", text), *options)
        try:
            return self.blocked(UNBOUND4)
        finally:
            self.house.cli("list", "rm", "feed")


@pytest.fixture(scope="module")
def world():
    house = FeedHouse()
    try:
        house.cli("attach", "guarded")
        house.cli("limit", "set", "--mode", "off", "--budget", "0")
        yield World(house)
        house.purge()
    finally:
        house.close()


def test_the_questions_are_worth_it(world):
    """Both verdicts are common, exact is not suffix, and the references of one meaning agree."""
    for verdicts in world.verdicts.values():
        assert 200 < sum(verdicts) < QUESTIONS - 200
    assert world.verdicts[SUFFIX] == world.verdicts[LOCAL_ZONES]
    for other in (EVERY_TRIGGER, EXACT, EXCEPTED):
        assert world.verdicts[SUFFIX] != world.verdicts[other]
    assert not any(world.blocked(UNBOUND4)), "without a list everything passes"


@pytest.mark.parametrize("forced", [False, True], ids=["detected", "forced"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_names_and_what_is_below(world, name, forced):
    templates, reference = FORMATS[name]
    assert world.guards(feed(world.names, templates), *["--format", name] * forced) == world.verdicts[reference]


@pytest.mark.parametrize("name", EXACT_FORMATS)
def test_the_names_alone(world, name):
    assert world.guards(feed(world.names, EXACT_FORMATS[name]), "--match", "exact") == world.verdicts[EXACT]


def test_exceptions(world):
    """Adblock's exceptions beat the blocks of their list wherever these are."""
    text = feed(world.names, ["||{}^"]) + feed(world.excepted, ["@@||{}^"])
    assert world.guards(text) == world.verdicts[EXCEPTED]
