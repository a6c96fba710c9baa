# SPDX-License-Identifier: GPL-2.0-or-later
"""100 reloads of a list: the kernel holds no more afterwards, daemon and command line neither, and during a swap two images at most."""
import json
import subprocess

from guarded import CLI, Daemon, wait_for
from house import run

RELOADS = 100
NAMES = 23117  # an image of a size that no other guard on this host is likely to have
SETTLED = 10  # reloads after which nothing may grow
SIZES = 0.05  # images of as many names differ by this at most: sometimes the smallest table has no room for all
SLACK_KB = 512  # of a process: the allocator's own turns


def lines(turn):
    return "".join(f"n{turn}-{number}.example\n" for number in range(NAMES))


def image_map_ids(house):
    """The guard's own image, by its pin."""
    dumped = json.loads(run("bpftool", "-j", "map", "dump", "pinned", house.bpffs / "dnsguard" / "dg_image").stdout)
    rows = dumped if isinstance(dumped, list) else dumped["elements"]
    return [int.from_bytes(bytes(int(octet, 16) for octet in row["value"]), "little") for row in rows]


class Kernel:
    """What this guard's maps need: the pinned ones, and every image about as large as its own, live or not."""

    def __init__(self, house):
        self.pinned = {self.id_of(path) for path in (house.bpffs / "dnsguard").glob("dg_*")}
        self.entries = next(row["max_entries"] for row in self.maps() if row["id"] in image_map_ids(house))

    @staticmethod
    def id_of(path):
        shown = json.loads(run("bpftool", "-j", "map", "show", "pinned", path).stdout)
        return shown["id"]

    @staticmethod
    def maps():
        return json.loads(run("bpftool", "-j", "map", "show").stdout)

    def images(self, maps):
        return [row for row in maps if row.get("name") == "dg_image_data" and abs(row["max_entries"] - self.entries) <= self.entries * SIZES]

    def bytes(self):
        """(of the pinned maps, of the images)"""
        maps = self.maps()
        pinned = [row for row in maps if row["id"] in self.pinned]
        return tuple(sum(row["bytes_memlock"] for row in rows) for rows in (pinned, self.images(maps)))


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
    memory, images, looks = 0, 0, 0
    while child.poll() is None:
        memory = max(memory, resident_kb(child.pid, "VmHWM"))
        images = max(images, len(kernel.images(kernel.maps())))
        looks += 1
    assert child.returncode == 0
    wait_for(lambda: len(kernel.images(kernel.maps())) == 1)  # the kernel lets the old one go a moment later
    return memory, images, looks


def test_a_hundred_reloads(house):
    house.cli("list", "add", "feed", house.write("feed", lines(0)))
    daemon = Daemon(house, "--interface", "guarded").ready()
    kernel = Kernel(house)
    in_kernel, of_daemon, of_command, most, looks = [], [], [], 0, 0
    for turn in range(1, RELOADS + 1):
        memory, count, looked = update(house, kernel, turn)
        most, looks = max(most, count), looks + looked
        of_command.append(memory)
        in_kernel.append(kernel.bytes())
        of_daemon.append(resident_kb(daemon.process.pid, "VmRSS"))
    pinned, images = zip(*in_kernel)
    print(f"kernel {pinned[0]} + {min(images)} to {max(images)} bytes, daemon {of_daemon[0]} to {of_daemon[-1]} KiB, command {max(of_command)} KiB, "
          f"{most} images at most in {looks} looks")
    assert len(set(pinned)) == 1 and max(images) <= min(images) * (1 + 2 * SIZES), in_kernel
    assert most == 2 and looks > RELOADS, "the old image and the new one, and never a third"
    for name, series in (("daemon", of_daemon), ("command", of_command)):
        assert max(series[SETTLED:]) <= max(series[:SETTLED]) + SLACK_KB, (name, series)
    assert house.json("status")["names"]["listed"] == NAMES
