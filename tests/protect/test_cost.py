"""20,000 short connections a minute beside 5,000 idle ones cost less than a hundredth of a core: in processor time."""

import itertools
import json
import os
import queue
import resource
import socket
import statistics
import threading
import time

from callers import hang_up
from guarded import SERVER, Daemon, run, wait_for

from crowd import enter

IDLE, SHORT, A_SECOND = 5000, 2000, 20000 / 60
PARTS = 10  # of the short ones, of which the middle counts: what a hypervisor takes in the midst of a program counts as its run time
CORE = 0.01
CHECKS = 2  # of the kernel's counts against a dump, one every 10 seconds where nothing is wrong
CONFIG = """
interfaces: [guarded]
tcp:
  protect: enforce
  quotas: ["192.0.2.1:53=100000"]
  protect-share: 100
limits:
  syn: {mode: observe}
"""


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def program(room):
    link = json.loads(run("bpftool", "-j", "link", "show", "pinned",
                          room.bpffs / "dnsguard" / "progs" / "tcpstate").stdout)
    return json.loads(run("bpftool", "-j", "prog", "show", "id", str(link["prog_id"])).stdout)


def callers(room, count):
    """Connected one after the other, by a thread that lives in the peer's namespace."""
    made = queue.Queue(maxsize=64)

    def call():
        enter(room.outside)
        for _ in range(count):
            sock = socket.socket()
            sock.connect((SERVER, 53))
            made.put(sock)

    thread = threading.Thread(target=call)
    thread.start()
    for _ in range(count):
        yield made.get()
    thread.join()


def test_counting_is_cheap(room):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 * IDLE, 3 * IDLE))
    room.attach()
    listener = room.listen(backlog=4096)
    daemon = Daemon(room, config=CONFIG).ready()
    held = []
    for caller in callers(room, IDLE):
        held += [caller, listener.accept()[0]]
    room.becomes(connections=IDLE)
    room.sockets += held
    stats = run("sysctl", "-n", "kernel.bpf_stats_enabled").stdout.strip()
    run("sysctl", "-qw", "kernel.bpf_stats_enabled=1")
    try:
        ran = [program(room).get("run_time_ns", 0)]  # not told as long as there is none
        for _ in range(PARTS):
            for caller in callers(room, SHORT // PARTS):
                hang_up([caller, listener.accept()[0]], reset=True)
            ran.append(program(room)["run_time_ns"])
        room.becomes(connections=IDLE)
        counting = statistics.median(b - a for a, b in itertools.pairwise(ran)) / 1e9 / (SHORT // PARTS) * A_SECOND
    finally:
        run("sysctl", "-qw", f"kernel.bpf_stats_enabled={stats}")
    began, before = time.monotonic(), processor_seconds(daemon.process.pid)
    wait_for(lambda: time.monotonic() - began >= 10 * CHECKS)
    watching = (processor_seconds(daemon.process.pid) - before) / (time.monotonic() - began)
    print(f"counting {counting:.3%}, daemon {watching:.3%} of a core")
    assert counting + watching < CORE
