#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Goodput under flood, and what an answer costs; prints rows for tests/bench/run and writes build/bench-goodput.json.

In the lab's namespaces: 200 honest clients ask Unbound 1,000 queries a second together while one core floods. The
same three floods meet the bare resolver, nftables with a limit for each source, and the guard with the same limit
(dropping, no slip). Nothing is judged here: the rows carry the targets.

A resolver's host is its own, and a flood comes over a wire. Here its sender is a process, and others work on the machine: so
resolver and clients get the CPUs that the sender has not, and go before everybody else there, behind whatever defence. What they
wait all the same stands beside the latency that contains it: how late the clients sent, at p99, and how long the resolver was
ready and had no CPU.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("DG_BUILD", ROOT / "build")).resolve()
LAB, SERVER, RPZ_SERVER = "dgbench", "10.53.0.1", "10.53.0.3"
RUN = Path("/run") / LAB
GATEWAY_MAC = "02:53:00:00:00:fe"
SECONDS = int(os.environ.get("DG_BENCH_SECONDS", "10"))
LIMIT, BURST = 20, 40  # queries a second of one source: four times what an honest client here asks

FLOOD_CPU = 0
RESOLVER_FIRST, CLIENTS_FIRST = 1, 2  # real-time priorities
OTHER_CPUS = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != FLOOD_CPU]
HONEST = ["--from", "10.53.64.0/18", "--sources", "200", "--stride", "13", "--rate", "1000", "--names", "www#.lab.example", "--numbers",
          "1000"]
FLOODS = {
    "one source": ["--from", "10.128.0.0", "--names", "www1.lab.example"],
    "1,000 sources": ["--from", "10.128.0.0/9", "--sources", "1000", "--stride", "256", "--names", "www1.lab.example"],
    "random names": ["--from", "10.128.0.0", "--names", "*.lab.example"],
}
NFTABLES = f"""
table ip dgbench {{
  set senders {{ type ipv4_addr; size 65536; flags dynamic; timeout 60s; }}
  chain before {{
    type filter hook prerouting priority raw;
    iifname eth0 udp dport 53 update @senders {{ ip saddr limit rate over {LIMIT}/second burst {BURST} packets }} drop
  }}
}}
"""
ANSWERS_RATIO = 5  # the guard's answers per second of CPU, in those of Unbound from RPZ
BLOCKED_NAMES = 1000
ANSWER_RATE = 50000  # a second; well below what Unbound can answer on one core


def run(*argv, **kwargs):
    return subprocess.run([str(a) for a in argv], check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def enter(where, *argv):
    return ["nsenter", f"--net=/run/netns/{LAB}-{where}", *map(str, argv)]


def guard(*args):
    return run(*enter("server", BUILD / "dnsguard", "--bpffs", RUN / "bpf", "--state-dir", RUN / "state", *args))


def verdict(label):
    return json.loads(guard("status", "--json"))["verdicts"][label]["frames"]


def resolver_pids():
    return [int(pid) for pid in run("ip", "netns", "pids", f"{LAB}-server").split()]


def threads(pids):
    return [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]


def undisturbed(pids, priority):
    """Off the CPU of the flood's sender, and first elsewhere; with one CPU for all, or without the right, as they are."""
    with contextlib.suppress(PermissionError):
        for task in threads(pids) if OTHER_CPUS else []:
            os.sched_setaffinity(int(task.name), OTHER_CPUS)
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(priority))


def waited_ns(pids):
    """How long their threads have been ready to run and have had no CPU."""
    return sum(int((task / "schedstat").read_text().split()[1]) for task in threads(pids))


@contextlib.contextmanager
def lab():
    environment = dict(os.environ, DNSGUARD_LAB=LAB)
    script = BUILD / "lab.sh"
    run(script, "down", env=environment)
    run(script, "up", env=environment)
    try:
        undisturbed(resolver_pids(), RESOLVER_FIRST)
        yield
    finally:
        run(script, "down", env=environment)


def flooding(seconds, *words, to=SERVER):
    argv = enter("attacker", BUILD / "dnsguard-load", "flood", "--interface", "eth0", "--to-mac", GATEWAY_MAC, "--to", to,
                 "--cpu", FLOOD_CPU, "--seconds", seconds, "--json", *words)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def asking(seconds):
    argv = [BUILD / "dnsguard-load", "ask", "--to", SERVER, "--seconds", seconds, "--json", *HONEST]
    asked = subprocess.Popen(enter("clients", *argv), stdout=subprocess.PIPE, text=True)
    undisturbed([asked.pid], CLIENTS_FIRST)
    said = asked.communicate()[0]
    assert asked.returncode == 0, "dnsguard-load ask failed"
    return json.loads(said)


# ---- goodput --------------------------------------------------------------------------------------


@contextlib.contextmanager
def bare():
    yield


@contextlib.contextmanager
def nftables():
    run(*enter("server", "nft", "-f", "-"), input=NFTABLES)
    try:
        yield
    finally:
        run(*enter("server", "nft", "delete", "table", "ip", "dgbench"))


@contextlib.contextmanager
def dnsguard():
    guard("attach", "eth0")
    guard("limit", "set", "--rate-limit", LIMIT, "--instant-limit", BURST, "--slip", "0")
    try:
        yield
    finally:
        guard("detach", "--all", "--purge")


DEFENCES = {"bare resolver": bare, "nftables": nftables, "guard": dnsguard}


def asked_and_waited():
    """What the clients say, and with it how long the resolver waited for a CPU, a second."""
    resolver = resolver_pids()
    before = waited_ns(resolver)
    honest = asking(SECONDS)
    honest["waited_ms_a_second"] = (waited_ns(resolver) - before) / 1e6 / SECONDS
    return honest


def measure(flood):
    asking(2)  # the cache is warm before the flood begins
    flooder = flooding(SECONDS + 2, *flood)
    time.sleep(1)  # the flood is on its way: this measures it, not its beginning
    honest = asked_and_waited()
    sent = json.loads(flooder.communicate()[0])
    return honest, sent


def goodput_rows(defence, title, honest, sent):
    name = f"{title}, {defence}: "
    answered = {"name": name + "answered", "unit": "%", "value": honest["answered_percent"]}
    latency = {"name": name + "p99", "unit": "ms", "value": honest["p99_ms"]}
    if defence == "guard":
        answered["at_least"] = 99.5
        latency["at_most"] = 2
    frames = {"name": name + "flood", "unit": "kpps", "value": sent["per_second"] / 1000}
    return [answered, latency, *delay_rows(name, honest), frames]


def delay_rows(name, honest):
    """Delays of this machine, which the latency contains."""
    return [{"name": name + "clients sent late, p99", "unit": "ms", "value": honest["behind_p99_ms"]},
            {"name": name + "resolver waited for a CPU, a second", "unit": "ms", "value": honest["waited_ms_a_second"]}]


def calm_rows():
    """Without any flood: what is the machine's and the resolver's own."""
    asking(2)
    honest = asked_and_waited()
    name = "no flood, bare resolver: "
    return [{"name": name + "p99", "unit": "ms", "value": honest["p99_ms"]}, *delay_rows(name, honest)]


def goodput():
    yield from calm_rows()
    for defence, stand in DEFENCES.items():
        for title, flood in FLOODS.items():
            with stand():
                honest, sent = measure(flood)
            print(f"  {title}, {defence}: {honest['answered_percent']:.2f} %, p99 {honest['p99_ms']:.2f} ms, "
                  f"flood {sent['per_second'] / 1000:.0f} kpps", file=sys.stderr)
            yield from goodput_rows(defence, title, honest, sent)


# ---- answers per second of CPU --------------------------------------------------------------------
#
# Both sides are charged alike, kernel and user: all that the sender, the resolver and the kernel's softirq threads ran while
# frames were answered, less what they ran when the very same frames were dropped at the server's door, for each answer that
# reached the other end of the server's wire. What a frame costs until it is there, and what the sender costs, cancels out;
# the program, the stack, the wake-up, the resolver and the way of the answer to the wire's other end stay. Threads are summed
# up rather than the machine's busy time, so that others may work here meanwhile: on veth all of it runs on somebody's account.

BLOCKED = ["--from", "10.128.0.0", "--names", "name#.blocked.example", "--numbers", BLOCKED_NAMES]
ROUNDS = 4  # interleaved; the cheapest counts, for whoever else runs here makes caches and clocks worse, never better
ANSWER_SECONDS = 3


def xdp(where, device, obj=None, section="xdp"):
    """Puts a program on a device, or takes it off. ip makes directories on a bpffs: the lab's."""
    end = ["ip", "-n", f"{LAB}-{where}", "link", "set", "dev", device, "xdpdrv"]
    run(*end, "off")
    if obj:
        run(*end, "obj", BUILD / obj, "sec", section, env=dict(os.environ, TC_BPF_MNT=str(RUN / "bpf")))


def sunk(where, device):
    """How many frames the sink on a device has dropped."""
    shown = run(*enter(where, "ethtool", "-S", device))
    return sum(int(line.split(":")[1]) for line in shown.splitlines() if "xdp_drops" in line)


def ran_ns(pid):
    """Nanoseconds on a CPU of all threads of a process; what an interrupted thread does for the network is in it."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def softirq_threads():
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm")
            if path.read_text().startswith(("ksoftirqd/", "napi/"))]


def send(rate, to, helpers):
    """(CPU nanoseconds of everybody, frames sent)"""
    helpers = [*helpers, *softirq_threads()]
    before = sum(map(ran_ns, helpers))
    sender = flooding(ANSWER_SECONDS, *BLOCKED, "--rate", rate, to=to)
    sent = json.loads(sender.stdout.read())
    usage = os.wait4(sender.pid, 0)[2]
    sender.returncode = 0
    return (usage.ru_utime + usage.ru_stime) * 1e9 + sum(map(ran_ns, helpers)) - before, sent["frames"]


def dropped_ns(rate, to):
    """A frame that ends at the server's door."""
    xdp("server", "eth0", "tests/bench/sink.bpf.o")
    before = sunk("server", "eth0")
    spent, frames = send(rate, to, [])
    assert sunk("server", "eth0") - before >= 0.9 * frames, "frames were lost on the way to the server"
    xdp("server", "eth0")
    return spent / frames


def answered_ns(rate, to, helpers):
    """A frame that is answered. What was lost is on the bill of the others, so little may be."""
    before = sunk("net", "server0")
    spent, frames = send(rate, to, helpers)
    answers = sunk("net", "server0") - before
    assert answers >= 0.9 * frames, f"{answers} answers to {frames} queries"
    return spent / answers


def answer_ns(rounds):
    """What an answer costs: the cheapest answered frame less the cheapest dropped one."""
    answered, dropped = zip(*rounds)
    return min(answered) - min(dropped)


@contextlib.contextmanager
def guard_answers():
    guard("attach", "eth0")
    guard("limit", "set", "--mode", "off", "--budget", "0")
    guard("block", "--file", RUN / "blocked.names")
    try:
        yield SERVER, []
    finally:
        guard("detach", "--all", "--purge")


@contextlib.contextmanager
def unbound_answers():
    """Unbound with the same names in a response policy zone, on an address of its own."""
    server = subprocess.Popen(enter("server", "unbound", "-d", "-c", RUN / "rpz.conf"))
    try:
        while "NXDOMAIN" not in run(*enter("server", "dig", "+tries=1", "+time=1", f"@{RPZ_SERVER}", "name1.blocked.example")):
            pass
        yield RPZ_SERVER, [server.pid]
    finally:
        server.kill()
        server.wait()


def rpz_configure():
    names = [f"name{i}.blocked.example" for i in range(BLOCKED_NAMES)]
    (RUN / "blocked.names").write_text("\n".join(names) + "\n")
    (RUN / "rpz.zone").write_text("$TTL 60\n@ SOA ns.rpz. host.rpz. 1 3600 600 86400 60\n@ NS ns.rpz.\n" + "".join(
        f"{name} CNAME .\n" for name in names))
    base = (RUN / "resolver.conf").read_text().replace(f"  interface: {SERVER}\n", f"  interface: {RPZ_SERVER}\n")
    base = base.replace('"iterator"', '"respip iterator"').replace("resolver.", "rpz.").replace("  interface: fd53::1\n", "")
    (RUN / "rpz.conf").write_text(base + f'rpz:\n  name: "rpz"\n  zonefile: "{RUN}/rpz.zone"\n')
    run("ip", "-n", f"{LAB}-server", "addr", "add", f"{RPZ_SERVER}/32", "dev", "eth0")


def rounds_of(side, rate):
    """Both kinds in turn, so that a busy spell of the machine meets both."""
    for _ in range(ROUNDS):
        with side() as (to, helpers):
            answered = answered_ns(rate, to, helpers)
        yield answered, dropped_ns(rate, to)


def answer_rows():
    rpz_configure()
    xdp("net", "server0", "tests/bench/sink.bpf.o")
    rounds = {side: list(rounds_of(side, ANSWER_RATE)) for side in (guard_answers, unbound_answers)}
    for side, figures in rounds.items():
        print(f"  {side.__name__}: answered / dropped, ns a frame: "
              + ", ".join(f"{a:.0f} / {d:.0f}" for a, d in figures), file=sys.stderr)
    ours, theirs = (answer_ns(rounds[side]) for side in rounds)
    xdp("net", "server0", "lab/xdp_pass.bpf.o", "xdp.frags")
    print(f"  an answer at {ANSWER_RATE} a second: guard {ours:.0f} ns, Unbound from RPZ {theirs:.0f} ns of CPU, kernel and user",
          file=sys.stderr)
    return [{"name": "an answer, guard, kernel and user", "unit": "ns", "value": ours},
            {"name": "an answer, Unbound from RPZ, kernel and user", "unit": "ns", "value": theirs},
            {"name": "answers per second of CPU, guard", "unit": "k/s", "value": 1e6 / ours},
            {"name": "answers per second of CPU, Unbound RPZ", "unit": "k/s", "value": 1e6 / theirs},
            {"name": "answers per second of CPU, guard / Unbound RPZ", "unit": "x", "value": theirs / ours,
             "at_least": ANSWERS_RATIO}]


def main():
    parts = {"goodput": goodput, "answers": answer_rows}
    with lab():
        rows = [row for name in sys.argv[1:] or parts for row in parts[name]()]
    (BUILD / "bench-goodput.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows))


main()
