# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to look at the guard does not depend on how many names are listed: a command and a scrape, in one run.

The benchmark does the same with ten million names.
"""
import os
import subprocess
from pathlib import Path

import pytest

from guarded import CLI, Daemon
from resolvers import FeedHouse

FEW, MANY = 10, 500000
LOOKS = 20
RATIO = 1.5  # of the quickest looks; one that walked through the names would be far beyond


@pytest.fixture(scope="module")
def pair():
    """(house, daemon) twice: few names, many names."""
    made = []
    try:
        for names in (FEW, MANY):
            house = FeedHouse()
            made.append((house, None))
            house.cli("attach", "guarded")
            feed = house.write("feed", "".join(f"n{number}.example\n" for number in range(names)))
            house.cli("list", "add", "feed", feed)
            assert house.json("status")["names"]["listed"] == names
            made[-1] = house, Daemon(house, "--interface", "guarded").ready()
        yield made
        for house, _ in made:
            house.purge()
    finally:
        for house, _ in made:
            house.close()


def status(house, _):
    """Seconds of processor time, which is not what it waited for others: the command's."""
    argv = house.inside.enter(CLI, "--bpffs", house.bpffs, "--state-dir", f"{house.dir}/state", "status", "--json")
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, ending, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(ending)
    assert child.returncode == 0
    return used.ru_utime + used.ru_stime


def ran(daemon):
    """All of its threads together."""
    tasks = Path(f"/proc/{daemon.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def scrape(_, daemon):
    began = ran(daemon)
    assert "dnsguard_packets_total" in daemon.get("/metrics")[1]
    return ran(daemon) - began


@pytest.mark.parametrize("look", [status, scrape])
def test_looking_costs_the_same(pair, look):
    """In turns, so that a spell of full caches meets both."""
    rounds = [[look(*one) for one in pair] for _ in range(LOOKS)]
    few, many = map(min, zip(*rounds))
    assert many <= few * RATIO, (few, many)
