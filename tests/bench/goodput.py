#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Goodput under flood, and what an answer costs; prints rows for tests/bench/run and writes build/bench-goodput.json.

In the lab's namespaces: 200 honest clients ask Unbound 1,000 queries a second together while one core floods. The
same three floods meet the bare resolver, nftables with a limit for each source, and the guard with the same limit
(dropping, no slip). Nothing is judged here: the rows carry the targets.
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
RPZ_RATE = 30000


def run(*argv, **kwargs):
    return subprocess.run([str(a) for a in argv], check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def enter(where, *argv):
    return ["nsenter", f"--net=/run/netns/{LAB}-{where}", *map(str, argv)]


def guard(*args):
    return run(*enter("server", BUILD / "dnsguard", "--bpffs", RUN / "bpf", "--state-dir", RUN / "state", *args))


def verdict(label):
    return json.loads(guard("status", "--json"))["verdicts"][label]["frames"]


@contextlib.contextmanager
def lab():
    environment = dict(os.environ, DNSGUARD_LAB=LAB)
    script = ROOT / "userspace/lab/lab.sh"
    run(script, "down", env=environment)
    run(script, "up", env=environment)
    try:
        yield
    finally:
        run(script, "down", env=environment)


def flooding(seconds, *words, to=SERVER):
    argv = enter("attacker", BUILD / "dnsguard-load", "flood", "--interface", "eth0", "--to-mac", GATEWAY_MAC, "--to", to,
                 "--cpu", "0", "--seconds", seconds, "--json", *words)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def asking(seconds):
    """Best effort of the measuring side: a client that waits for its turn on a busy core is not the resolver's delay."""
    argv = ["nice", "-n", "-10", BUILD / "dnsguard-load", "ask", "--to", SERVER, "--seconds", seconds, "--json", *HONEST]
    return json.loads(run(*enter("clients", *argv)))


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


def measure(flood):
    asking(2)  # the cache is warm before the flood begins
    flooder = flooding(SECONDS + 2, *flood)
    time.sleep(1)  # the flood is on its way: this measures it, not its beginning
    honest = asking(SECONDS)
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
    return [answered, latency, frames]


def goodput():
    for defence, stand in DEFENCES.items():
        for title, flood in FLOODS.items():
            with stand():
                honest, sent = measure(flood)
            print(f"  {title}, {defence}: {honest['answered_percent']:.2f} %, p99 {honest['p99_ms']:.2f} ms, "
                  f"flood {sent['per_second'] / 1000:.0f} kpps", file=sys.stderr)
            yield from goodput_rows(defence, title, honest, sent)


# ---- answers per second of CPU --------------------------------------------------------------------

BLOCKED = ["--from", "10.128.0.0", "--names", "name#.blocked.example", "--numbers", BLOCKED_NAMES]


def frames_per_second(*words, seconds=3, repeats=3):
    """The best of a few: the core is not ours alone."""
    return max(json.loads(flooding(seconds, *words).communicate()[0])["per_second"] for _ in range(repeats))


def far_end(obj, section):
    """The program at the other end of the server's wire. ip makes directories on a bpffs: the lab's."""
    end = ["ip", "-n", f"{LAB}-net", "link", "set", "dev", "server0", "xdpdrv"]
    run(*end, "off")
    run(*end, "obj", BUILD / obj, "sec", section, env=dict(os.environ, TC_BPF_MNT=str(RUN / "bpf")))


def guard_ns_per_answer():
    """
    All of it happens on the flooder's core: what a frame takes when answered, less what it takes when it is dropped
    for its source at the program's door. Sending the answer is in it, up to the other end of the wire.
    """
    far_end("tests/bench/sink.bpf.o", "xdp")
    names = RUN / "blocked.names"
    names.write_text("".join(f"name{i}.blocked.example\n" for i in range(BLOCKED_NAMES)))
    guard("attach", "eth0")
    guard("limit", "set", "--mode", "off", "--budget", "0")
    guard("block", "--file", names)
    answered = frames_per_second(*BLOCKED)
    replies = verdict("reply_sinkhole")
    guard("source", "ban", "10.128.0.0")
    dropped = frames_per_second(*BLOCKED)
    assert verdict("reply_sinkhole") == replies > 0, "nothing was answered"
    guard("detach", "--all", "--purge")
    far_end("lab/xdp_pass.bpf.o", "xdp.frags")
    return 1e9 / answered - 1e9 / dropped


def rpz_start():
    """Unbound with the same names in a response policy zone, on an address of its own."""
    (RUN / "rpz.zone").write_text("$TTL 60\n@ SOA ns.rpz. host.rpz. 1 3600 600 86400 60\n@ NS ns.rpz.\n" + "".join(
        f"name{i}.blocked.example CNAME .\n" for i in range(BLOCKED_NAMES)))
    base = (RUN / "resolver.conf").read_text().replace(f"  interface: {SERVER}\n", f"  interface: {RPZ_SERVER}\n")
    base = base.replace('"iterator"', '"respip iterator"').replace("resolver.", "rpz.").replace("  interface: fd53::1\n", "")
    (RUN / "rpz.conf").write_text(base + f'rpz:\n  name: "rpz"\n  zonefile: "{RUN}/rpz.zone"\n')
    run("ip", "-n", f"{LAB}-server", "addr", "add", f"{RPZ_SERVER}/32", "dev", "eth0")
    return subprocess.Popen(enter("server", "unbound", "-d", "-c", RUN / "rpz.conf"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers_sent():
    stats = json.loads(run("ip", "-j", "-s", "-n", f"{LAB}-server", "link", "show", "eth0"))
    return stats[0]["stats64"]["tx"]["packets"]


def rpz_ns_per_answer():
    """The process alone: what the kernel does to bring it the packet is not even counted."""
    server = rpz_start()
    try:
        while "NXDOMAIN" not in run(*enter("clients", "dig", "+tries=1", "+time=1", f"@{RPZ_SERVER}",
                                           "name1.blocked.example")):
            pass
        cpu, answers = cpu_seconds(server.pid), answers_sent()
        flooding(5, *BLOCKED, "--rate", RPZ_RATE, to=RPZ_SERVER).communicate()
        return (cpu_seconds(server.pid) - cpu) * 1e9 / (answers_sent() - answers)
    finally:
        server.kill()
        server.wait()


def answer_rows():
    ours, theirs = guard_ns_per_answer(), rpz_ns_per_answer()
    print(f"  an answer: guard {ours:.0f} ns, Unbound from RPZ {theirs:.0f} ns of CPU", file=sys.stderr)
    return [{"name": "answers per second of CPU, guard", "unit": "k/s", "value": 1e6 / ours},
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
