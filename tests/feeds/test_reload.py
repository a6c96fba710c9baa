# SPDX-License-Identifier: GPL-2.0-or-later
"""100 reloads of a list: kernel, daemon and command line need no more afterwards, and in between there are two images at most."""
import json
import os
import subprocess

from guarded import CLI, Daemon, wait_for
from house import run

RELOADS = 100
NAMES = 20000
SETTLED = 10  # reloads after which nothing may grow, once the minute's line of the history has been written as well
SIZES = 0.1  # images of as many names differ by this at most: sometimes the smallest table has no room for all
SLACK_KB = 512  # of a process: the allocator's own turns
WARM = 4  # samples of the daemon's charts, after which all of its rooms have worked once


def lines(turn):
    return "".join(f"n{turn}-{number}.example\n" for number in range(NAMES))


class Kernel:
    """What this guard's maps need: the pinned ones, and the images that are or were its own. Others may guard here as well."""

    def __init__(self, house):
        self.house = house
        self.pinned = {self.id_of(path) for path in (house.bpffs / "dnsguard").glob("dg_*")}
        self.images = {self.live()}

    @staticmethod
    def id_of(path):
        return json.loads(run("bpftool", "-j", "map", "show", "pinned", path).stdout)["id"]

    @staticmethod
    def maps():
        """{id: bytes} of every map there is."""
        return {row["id"]: row["bytes_memlock"] for row in json.loads(run("bpftool", "-j", "map", "show").stdout)}

    def live(self):
        """The map of the image that packets are looked up in."""
        (row,) = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.house.bpffs / "dnsguard" / "dg_image").stdout)
        return int.from_bytes(bytes(int(octet, 16) for octet in row["value"]), "little")

    def settle(self):
        """Waits until only the live image is left, which the kernel sees to a moment after the swap."""
        live = self.live()
        self.images.add(live)
        wait_for(lambda: self.images & self.maps().keys() == {live})

    def bytes(self):
        """(of the pinned maps, of the image)"""
        maps = self.maps()
        return tuple(sum(size for number, size in maps.items() if number in those) for those in (self.pinned, self.images))


def resident_kb(pid, what):
    """VmRSS, or VmHWM: the most since the program was started; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith(what)), 0)
    except ProcessLookupError:
        return 0


def update(house, kernel, turn):
    """A new feed made live. Returns what was seen meanwhile: the most memory of the command in KiB, the most images, the looks."""
    house.write("feed", lines(turn))
    argv = house.inside.enter(CLI, "--bpffs", house.bpffs, "--state-dir", f"{house.dir}/state", "list", "update", "feed")
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    memory, looks = 0, []
    while child.poll() is None:
        memory = max(memory, resident_kb(child.pid, "VmHWM"))
        looks.append(kernel.maps().keys())
    assert child.returncode == 0
    kernel.settle()
    return memory, max(len(kernel.images & seen) for seen in looks), len(looks)


def test_a_hundred_reloads(house):
    house.cli("list", "add", "feed", house.write("feed", lines(0)))
    daemon = Daemon(house, "--interface", "guarded").ready()
    kernel = Kernel(house)
    wait_for(lambda: len(json.loads(daemon.get("/api/history")[1])["unix"]) >= WARM)
    in_kernel, of_daemon, of_command, most, looks = [], [], [], 0, 0
    history = f"{house.dir}/state/history.db"
    begun, turn, settled = os.path.getmtime(history), 0, 0
    while not settled or turn < settled + RELOADS - SETTLED:
        turn += 1
        memory, count, looked = update(house, kernel, turn)
        most, looks = max(most, count), looks + looked
        of_command.append(memory)
        in_kernel.append(kernel.bytes())
        of_daemon.append(resident_kb(daemon.process.pid, "VmRSS"))
        if not settled and turn >= SETTLED and os.path.getmtime(history) > begun:
            settled = turn + 1
    pinned, images = zip(*in_kernel)
    print(f"kernel {pinned[0]} + {min(images)} to {max(images)} bytes, daemon {of_daemon[0]} to {of_daemon[-1]} KiB, "
          f"command {max(of_command)} KiB, {most} images at most in {looks} looks")
    assert len(set(pinned)) == 1 and max(images) <= min(images) * (1 + SIZES), in_kernel
    assert most == 2 and looks > RELOADS, "the old image and the new one, and never a third"
    for name, series in (("daemon", of_daemon), ("command", of_command)):
        assert max(series[settled:]) <= max(series[:settled]) + SLACK_KB, (name, series)
    assert house.json("status")["names"]["listed"] == NAMES
