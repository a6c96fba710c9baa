# SPDX-License-Identifier: GPL-2.0-or-later
"""200 swaps of the image under 50,000 queries a second: no wrong answer, and no query lost.

The two images are laid out differently: other numbers of lists, of answers and of buckets. Half of their names they have in
common, under different list numbers; those must be answered by whichever is live, and names that neither has never.
The tool that asks checks ID, question and RCODE of each answer; a resolver behind the guard says NOERROR to everything.
"""
import itertools
import os
import time

import policy
from house import BUILD, LOAD, UNBOUND4, result, run
from resolvers import FeedHouse

SWAPS = 200
NAMES = 25000  # in both images; as many again in each alone
LISTED_RATE, FREE_RATE, EITHER_RATE = 45000, 4500, 500  # a second, as far as the machine has time for it
RATE = LISTED_RATE + FREE_RATE + EITHER_RATE
# A ring of veth holds 256 frames: so few of each wait for their answers that none overflows, however busy the machine is. Who
# waits for half a minute has lost a query to the guard.
WINDOW = {LISTED_RATE: 128, FREE_RATE: 48, EITHER_RATE: 16}
TIMEOUT_MS = 30000
NICE = -10
NOERROR, NXDOMAIN = "0", "3"
ALL_EXISTS = f"$TTL 300\n. {policy.SOA}\n. NS ns.\n" + "".join(f"{owner} A 192.0.2.9\n" for owner in ("ns.", "*."))


def names(domain):
    return [f"n{number}.{domain}.example" for number in range(NAMES)]


def compile_image(house, name, *lists):
    """(settings, lines) of each list; returns the image's path."""
    image = f"{house.dir}/{name}.image"
    words = [("--list", settings, house.write(f"{name}{number}", "\n".join(lines) + "\n"))
             for number, (settings, lines) in enumerate(lists)]
    run(BUILD / "dnsguard-compile", "--key", f"{house.dir}/state/key", "-o", image, *itertools.chain(*words))
    return image


def images(house):
    addresses = [f"a{number}.more.example A 192.0.2.{number + 1}" for number in range(200)]
    return (compile_image(house, "one", ("one,format=domains", names("common") + names("one"))),
            compile_image(house, "two", ("first,format=domains", names("two")), ("second,format=rpz", addresses),
                          ("third,format=domains", names("common") + names("more"))))


class Load:
    """The three askers, until end()."""

    def __init__(self, house):
        self.began = time.monotonic()
        self.askers = {
            "listed": self.ask(house, names("common"), LISTED_RATE, NXDOMAIN, "10.53.64.0/24"),
            "free": self.ask(house, names("free"), FREE_RATE, NOERROR, "10.53.65.0/24"),
            "either": self.ask(house, names("one"), EITHER_RATE, "any", "10.53.66.0/24"),
        }

    @staticmethod
    def ask(house, lines, rate, expect, clients):
        file = house.write(f"names-{rate}", "\n".join(lines) + "\n")
        return house.start(house.outside, "nice", "-n", NICE, LOAD, "ask", "--to", UNBOUND4, "--json", "--seconds", "900",
                           "--window", WINDOW[rate], "--timeout-ms", TIMEOUT_MS, "--from", clients, "--sources", "20", "--rate", rate,
                           "--names", f"@{file}", "--expect", expect)

    def end(self):
        """What each was told, and queries a second of all."""
        seconds = time.monotonic() - self.began
        for asker in self.askers.values():
            asker.terminate()
        told = {name: result(asker) for name, asker in self.askers.items()}
        return told, sum(report["sent"] for report in told.values()) / seconds


def check_answers(told):
    """Every query has its answer, and it is the right one."""
    assert set(told["listed"]["rcodes"]) == {NXDOMAIN} and set(told["free"]["rcodes"]) == {NOERROR}
    assert set(told["either"]["rcodes"]) == {NXDOMAIN, NOERROR}
    for report in told.values():
        assert report["answered"] == report["sent"] and report["wrong"] == report["unsent"] == 0, told


def frames(house):
    """Of the two verdicts that there may be, and of all others that queries can get."""
    verdicts = {name: row["frames"] for name, row in house.status()["verdicts"].items()}
    known = verdicts["reply_sinkhole"], verdicts["pass_clean"]
    return known, sum(verdicts.values()) - sum(known) - verdicts["pass_not_dns"] - verdicts["pass_ip_options"]


def test_two_hundred_swaps(house):
    house.write("root.zone", ALL_EXISTS)
    resolver = house.unbound(house.inside, UNBOUND4, more="  so-rcvbuf: 4m")
    os.setpriority(os.PRIO_PROCESS, resolver.pid, NICE)
    one, two = images(house)
    house.cli("image", "load", one)
    before, _ = frames(house)
    load = Load(house)
    for turn in range(SWAPS):
        house.cli("image", "load", (two, one)[turn % 2])
    told, rate = load.end()
    print(f"{SWAPS} swaps at {rate:.0f} queries a second, {sum(r['sent'] for r in told.values())} queries")
    check_answers(told)
    assert rate > RATE / 5, "too little for it to mean anything"
    known, others = frames(house)
    assert others == 0, house.status()["verdicts"]
    blocked, exists = (sum(report["rcodes"].get(code, 0) for report in told.values()) for code in (NXDOMAIN, NOERROR))
    assert tuple(now - then for now, then in zip(known, before)) == (blocked, exists)
