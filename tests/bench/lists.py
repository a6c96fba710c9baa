#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists at feed scale: from a file of domains to live, memory, lookups, and what looking costs; prints rows for tests/bench/run.

Two guarded devices in namespaces of their own, one with a list of 10 names, the other with a million and then with 10
million; both have a daemon, so that what status and /metrics cost is compared in one run. Lookups are micro's rows, with
as many names. Usage: lists.py [PART...]: houses, lookups, and peers, which is left out unless named.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import dns.message

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("DG_BUILD", ROOT / "build")).resolve()
sys.path[:0] = [str(ROOT / "tests" / "feeds"), str(ROOT / "tests" / "net")]
import resolvers  # noqa: E402, first: it knows where the others are
from resolvers import POLICY_NAMED, POLICY_UNBOUND, Asker, FeedHouse  # noqa: E402
from guarded import CLI, CLIENT, Daemon  # noqa: E402

FEW, MILLION, MANY = 10, 1000000, 10000000
LIVE_SECONDS = {MILLION: 1.0, MANY: 12.0}  # from the command to the first query that is answered
KERNEL_BYTES, COMPILER_BYTES = 24, 100  # a name
SWAP_RATIO = 2.01  # the old image and the new one, whose sizes differ by a page at times
LOOKUP_FEW, LOOKUP_RATIO = 10000, 1.5  # a lookup among MANY names, in those among LOOKUP_FEW
LOOK_RATIO = 1.2  # "the same", with what two runs of one thing differ by
LOOKS = 40
INNER = ("dg_image_data", "dg_large_filter")  # maps that come and go with an image
CHUNK = 10000


def row(name, unit, value, at_most=None):
    return {"name": name, "unit": unit, "value": value, **({"at_most": at_most} if at_most else {})}


def count(number):
    return f"{number // MILLION} M" if number >= MILLION else str(number)


# ---- a house with a list --------------------------------------------------------------------------


class ListHouse(FeedHouse):
    def __init__(self, names):
        super().__init__()
        self.names = names
        self.cli("attach", "guarded")

    def daemon(self):
        self.running = Daemon(self, "--interface", "guarded").ready()

    def feed(self, names):
        """A file of domains as feeds have them, no name twice; returns it and its last name."""
        chance, path = random.Random(names), Path(self.dir) / f"feed-{names}"
        words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=chance.randrange(4, 12))) for _ in range(5000)]
        domains = ["com", "net", "org", "info", "top", "xyz", "ru", "de", "co.uk", "shop.example"]
        with open(path, "w", encoding="ascii") as file:
            for start in range(0, names, CHUNK):
                lines = [f"{chance.choice(words)}{number:x}.{chance.choice(domains)}\n"
                         for number in range(start, min(start + CHUNK, names))]
                file.write("".join(lines))
        return path, lines[-1].strip()

    def listed(self, name):
        return self.json("explain", name, "--client", CLIENT)["verdict"] == "reply_sinkhole"

    def close(self):
        self.purge()
        super().close()


def map_bytes(house, name):
    return shown_map("pinned", house.bpffs / "dnsguard" / name)["bytes_memlock"]


def shown_map(*words):
    return json.loads(subprocess.run(["bpftool", "-j", "map", "show", *map(str, words)], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout)


def slot_bytes(house, name):
    """Of what stands in the slots of a pinned array of maps, as the kernel accounts for it, by its id."""
    dumped = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", str(house.bpffs / "dnsguard" / name)], check=True,
                            text=True, stdout=subprocess.PIPE)
    numbers = [int.from_bytes(bytes(int(octet, 16) for octet in slot["value"]), "little") for slot in json.loads(dumped.stdout)]
    return [shown_map("id", number)["bytes_memlock"] for number in numbers]


def image_bytes(house):
    """Of the live image, with the large filter in front of it if it has one."""
    (image,) = slot_bytes(house, "dg_image")
    return image + sum(slot_bytes(house, "dg_list_large"))


# ---- from a file to live, and memory --------------------------------------------------------------


def go_live(house, names, source, last):
    assert not house.listed(last)
    began = time.monotonic()
    house.cli("list", "add", f"names-{names}", source, "--format", "domains")
    took = time.monotonic() - began
    assert house.listed(last)
    return took


def swap_row(house, names):
    """The list made anew while it is live. Only images of this size and large filters count: nobody else has any."""
    live, most = image_bytes(house), 0
    child = house.start(house.inside, CLI, "--bpffs", house.bpffs, "--state-dir", f"{house.dir}/state", "list", "update", "--force")
    while child.poll() is None:
        sizes = {kind: [shown["bytes_memlock"] for shown in shown_map() if shown.get("name") == kind] for kind in INNER}
        most = max(most, sum(size for size in sizes[INNER[0]] if size > live / 2) + sum(sizes[INNER[1]]))
    assert child.returncode == 0, child.stderr.read()
    return row(f"{count(names)} names: kernel memory during a swap / image", "x", most / live, SWAP_RATIO)


def compiler_bytes(house, source):
    """The most memory of the compiler by itself, as the kernel accounts for the process, and its seconds."""
    key, image = f"{house.dir}/state/key", f"{house.dir}/image"
    argv = [str(BUILD / "dnsguard-compile"), "--key", key, "-o", image, "--list", "feed,format=domains", str(source)]
    began = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    os.unlink(image)
    return usage.ru_maxrss * 1024, time.monotonic() - began


def scale_rows(house, names):
    source, last = house.feed(names)
    peak, compiled = compiler_bytes(house, source)
    live = go_live(house, names, source, last)
    kernel = image_bytes(house) + map_bytes(house, "dg_list_filter")
    title = f"{count(names)} names: "
    return [row(title + "domains file to live", "s", live, LIVE_SECONDS[names]), row(title + "compiled, by itself", "s", compiled),
            row(title + "kernel memory a name, filter included", "B", kernel / names, KERNEL_BYTES),
            row(title + "compiler's peak a name", "B", peak / names, COMPILER_BYTES)]


# ---- what looking costs ---------------------------------------------------------------------------


def cpu_of(pid):
    """Nanoseconds on a CPU of all threads of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def status_ns(house):
    """Of one command."""
    began = time.monotonic_ns()
    house.cli("status", "--json")
    return time.monotonic_ns() - began


def metrics_ns(house):
    """CPU of the daemon for one scrape."""
    before = cpu_of(house.running.process.pid)
    house.running.get("/metrics")
    return cpu_of(house.running.process.pid) - before


def look_rows(houses):
    """In turns, so that a busy spell of the machine meets both; the quickest of each counts."""
    for what, look in (("status", status_ns), ("/metrics", metrics_ns)):
        took = {house: [] for house in houses}
        for _ in range(LOOKS):
            for house in houses:
                took[house].append(look(house))
        few, many = (min(took[house]) for house in houses)
        yield row(f"{what}: at {count(FEW)} names", "us", few / 1e3)
        yield row(f"{what}: at {count(MANY)} names", "us", many / 1e3)
        yield row(f"{what}: at {count(MANY)} / at {count(FEW)} names", "x", many / few, LOOK_RATIO)


# ---- lookups --------------------------------------------------------------------------------------


def micro(names):
    """{row: ns} of micro with so many names; only the rows without limiter."""
    done = subprocess.run([BUILD / "tests/bench/micro", "--names", str(names), "limiter"], check=True, text=True,
                          stdout=subprocess.PIPE)
    return {found["name"]: found["value"] for found in json.loads(done.stdout)}


LOOKUPS = [  # title, what is measured, what it costs without lists, target
    ("listed name, lookup alone", "listed query observed, limiter off", "query, whole walk, limiter and lists off", LOOKUP_RATIO),
    ("other name, lookup alone", "query, whole walk, limiter off", "query, whole walk, limiter and lists off", LOOKUP_RATIO),
    ("other name, whole query", "query, whole walk, limiter off", None, LOOKUP_RATIO),
    ("cold: listed name, lookup alone", "cold: listed query observed, limiter off", "cold: query, limiter and lists off", None),
    ("cold: other name, lookup alone", "cold: query, whole walk, limiter off", "cold: query, limiter and lists off", None),
]


def lookup_rows():
    few, many = micro(LOOKUP_FEW), micro(MANY)
    for title, with_lists, without, target in LOOKUPS:
        at_few, at_many = (figures[with_lists] - (figures[without] if without else 0) for figures in (few, many))
        yield row(f"{title}, {LOOKUP_FEW // 1000} k names", "ns", at_few)
        yield row(f"{title}, {count(MANY)} names", "ns", at_many)
        yield row(f"{title}, {count(MANY)} / {LOOKUP_FEW // 1000} k names", "x", at_many / at_few, target)
    counter = "for scale: a hit counter, one for each list"
    yield row("counting a hit of a list", "ns", many[counter])


# ---- resolvers with the same names, for scale; only when asked for: it takes a minute or two -------

ALL_EXISTS = "$TTL 300\n. SOA ns. host. 1 3600 600 86400 60\n. NS ns.\nns. A 192.0.2.9\n*. A 192.0.2.9\n"
MEANWHILE = dns.message.make_query("asked.meanwhile.example", "A").to_wire()
NEW_POLICY = ("policy.new", "192.0.2.98")


def policy_zone(source, serial):
    with open(source, encoding="ascii") as lines:
        names = lines.read().split()
    more = f"{NEW_POLICY[0]} A {NEW_POLICY[1]}\n" if serial > 1 else ""
    return f"$TTL 60\n@ SOA ns. host. {serial} 3600 600 86400 60\n NS ns.\n{more}" + "".join(
        f"{name} CNAME .\n*.{name} CNAME .\n" for name in names)


def resident(child):
    status = Path(f"/proc/{child.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def started(start, house, address, zone):
    began = time.monotonic()
    child = start(house.outside, address, zone)
    return time.monotonic() - began, child


def longest_wait(house, address, until):
    """One question after the other, until there is news: the longest that one waited, in seconds."""
    longest = 0
    while not until():
        began = time.monotonic()
        while Asker(house.outside, address).ask([MEANWHILE])[0] is None:
            pass
        longest = max(longest, time.monotonic() - began)
    return longest


def peers_rows():
    house = ListHouse(MILLION)
    resolvers.PATIENCE = 300
    try:
        house.write("root.zone", ALL_EXISTS)
        source, _ = house.feed(MILLION)
        zone = policy_zone(source, 1)
        for name, start, address in (("Unbound", house.unbound, POLICY_UNBOUND), ("BIND", house.named, POLICY_NAMED)):
            took, child = started(start, house, address, zone)
            yield row(f"for scale: {name} with 1 M names: start", "s", took)
            yield row(f"for scale: {name} with 1 M names: memory a name", "B", resident(child) / MILLION)
        house.policy_file(POLICY_NAMED, policy_zone(source, 2))
        child.send_signal(signal.SIGHUP)
        stall = longest_wait(house, POLICY_NAMED, lambda: house.knows(house.outside, POLICY_NAMED, *NEW_POLICY))
        yield row("for scale: BIND with 1 M names: longest answer during a reload", "s", stall)
    finally:
        house.close()


# ---- all of it ------------------------------------------------------------------------------------


def houses_rows():
    few, large = ListHouse(FEW), ListHouse(MANY)
    try:
        source, last = few.feed(FEW)
        go_live(few, FEW, source, last)
        yield from scale_rows(large, MILLION)
        large.cli("list", "rm", f"names-{MILLION}")
        yield from scale_rows(large, MANY)
        yield swap_row(large, MANY)
        for house in (few, large):
            house.daemon()
        yield from look_rows((few, large))
    finally:
        few.close()
        large.close()


PARTS = {"houses": houses_rows, "lookups": lookup_rows, "peers": peers_rows}
DEFAULT = ("houses", "lookups")


def main():
    unknown = set(sys.argv[1:]) - set(PARTS)
    if unknown:
        sys.exit(f"lists.py: no part {unknown.pop()}: there are {', '.join(PARTS)}")
    print(json.dumps([found for name in sys.argv[1:] or DEFAULT for found in PARTS[name]()]))


main()
