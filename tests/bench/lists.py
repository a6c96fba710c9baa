#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists at feed scale: how long until a file of names is live, and what it costs; prints rows for tests/bench/run.

A guarded device in a namespace of its own, a domains file of 1 and of 10 million names, and `dnsguard list add`: the
file is read twice without privileges (checked, then compiled), the image is checked, loaded and swapped in. Then the
compiler alone, whose report tells names, bytes and peak memory. DG_BENCH_NAMES names other sizes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import BUILD, World  # noqa: E402

MILLION = 1000000
SIZES = [int(word) for word in os.environ.get("DG_BENCH_NAMES", "1000000 10000000").split()]
SECONDS = {MILLION: 1.0, 10 * MILLION: 12.0}
COMPILER_BYTES, KERNEL_BYTES = 100, 24  # a name
FILTER_BYTES = 4 << 20  # in front of every image


def write_names(path, count):
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            file.write("host-%d.zone%d.example\n" % (number, number % 1000))


def timed(world, *words):
    began = time.monotonic()
    done = world.cli(*words, check=False)
    if done.returncode:
        sys.exit("tests/bench/lists.py: dnsguard %s: %s" % (" ".join(map(str, words)), done.stderr.strip()))
    return time.monotonic() - began


def compiled(directory, feed):
    """The compiler's own report on the same file."""
    key = Path(directory) / "key"
    key.write_bytes(os.urandom(32))
    began = time.monotonic()
    done = subprocess.run([BUILD / "dnsguard-compile", "--key", key, "-o", Path(directory) / "image", "--json", feed],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout), time.monotonic() - began


def rows(world, directory, count):
    title = "list of %s names: " % format(count, ",")
    feed = Path(directory) / "feed"
    write_names(feed, count)
    target = {"at_most": SECONDS[count]} if count in SECONDS else {}
    yield {"name": title + "file to live", "unit": "s", "value": timed(world, "list", "add", "bench", feed), **target}
    timed(world, "list", "rm", "bench")
    report, seconds = compiled(directory, feed)
    yield {"name": title + "compile alone", "unit": "s", "value": seconds}
    yield {"name": title + "compiler's peak memory a name", "unit": "B", "value": report["peak_bytes"] / count,
           "at_most": COMPILER_BYTES}
    yield {"name": title + "kernel memory a name, filter included", "unit": "B",
           "value": (report["bytes"] + FILTER_BYTES) / count, "at_most": KERNEL_BYTES}


def main():
    found = []
    with tempfile.TemporaryDirectory(prefix="dg-bench-lists-") as directory:
        world = World()
        try:
            world.cli("attach", "guarded")
            for count in SIZES:
                found += rows(world, directory, count)
        finally:
            world.cli("detach", "--all", "--purge", check=False)
            world.close()
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
