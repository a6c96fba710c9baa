# SPDX-License-Identifier: GPL-2.0-or-later
"""Real resolvers behind the guard, and clients in front of it.

Builds on the two namespaces of the daemon's tests: adds IPv6, a pass program at the client's end (veth delivers what
XDP sends back only to a device with a native program), Unbound and BIND with the same zone, and the load tool. What
a resolver says without the guard is asked from inside, over loopback, which nobody guards.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import BUILD, PATIENCE, World, run, wait_for  # noqa: E402

LOAD = BUILD / "dnsguard-load"
XDP_PASS = BUILD / "lab" / "xdp_pass.bpf.o"

UNBOUND4, UNBOUND6 = "192.0.2.1", "2001:db8::1"
NAMED4, NAMED6 = "192.0.2.53", "2001:db8::53"
CLIENT4, CLIENT6 = "192.0.2.2", "2001:db8::2"
HONEST = "10.53.64.0/18"  # a network of honest clients behind the client's end
FLOODERS = "10.66.0.0/16"
COOKIE_SECRET = "000102030405060708090a0b0c0d0e0f"

BLOCKED, BELOW, ALLOWED, BIG = "blocked.example", "www.blocked.example", "allowed.example", "big.example"
RECORDS = [(BLOCKED, "A", "203.0.113.66"), (BELOW, "A", "203.0.113.67"), (ALLOWED, "A", "192.0.2.80"),
           (ALLOWED, "AAAA", "2001:db8::80"), (BIG, "TXT", " ".join(['"%s"' % ("x" * 200)] * 20))]
RECORDS += [(f"www{i}.lab.example", "A", f"198.51.100.{i}") for i in range(100)]


class House(World):
    """The world of the daemon's tests, with both families and room for resolvers. Close ends what was started."""

    def __init__(self):
        self.children = []
        super().__init__()

    def make_device(self, name="guarded", peer="peer"):
        for netns in (self.inside, self.outside):
            run(*netns.enter("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv4.conf.all.rp_filter=0",
                             "net.ipv4.conf.default.rp_filter=0"))
        super().make_device(name, peer)
        for address in (f"{NAMED4}/32", f"{UNBOUND6}/64", f"{NAMED6}/64"):
            self.inside.ip("addr", "add", address, "dev", name)
        self.outside.ip("addr", "add", f"{CLIENT6}/64", "dev", peer)
        self.pass_on(peer)
        self.outside.ip("route", "add", "local", HONEST, "dev", "lo")
        self.inside.ip("route", "add", HONEST, "via", CLIENT4)
        self.inside.ip("route", "add", "blackhole", FLOODERS)

    def pass_on(self, peer):
        """The pass program. ip makes directories on a bpffs: it gets one that close() removes."""
        self.ip_room = f"{self.dir}/ip"
        os.mkdir(self.ip_room)
        run("mount", "-t", "bpf", "bpf", self.ip_room)
        run("ip", "-n", self.outside.name, "link", "set", "dev", peer, "xdpdrv", "obj", XDP_PASS, "sec", "xdp.frags",
            env={**os.environ, "TC_BPF_MNT": self.ip_room})

    def start(self, netns, *argv):
        child = subprocess.Popen(netns.enter(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def load(self, mode, *argv, wrap=()):
        """The load tool, on the client's end; result() waits for it and reads what it measured."""
        words = ["--interface", "peer", "--to-mac", self.mac()] if mode != "ask" else []
        return self.start(self.outside, *wrap, LOAD, mode, "--to", UNBOUND4, "--json", *words, *argv)

    def purge(self):
        self.cli("detach", "--all", "--purge", check=False)

    def close(self):
        for child in self.children:
            child.kill()
            child.communicate()
        run("umount", self.ip_room)
        super().close()


def result(child):
    stdout, stderr = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, stderr
    return json.loads(stdout)


# ---- resolvers ------------------------------------------------------------------------------------


def unbound(house):
    """Its receive buffer holds some seconds of what the guard lets through: one that gets no processor for a while loses none."""
    lines = "\n".join(f"  local-data: '{name}. 300 {kind} {data}'" for name, kind, data in RECORDS)
    return serve(house, "unbound", ["unbound", "-d", "-c"], UNBOUND4, f"""
server:
  directory: "{house.dir}"
  chroot: ""
  username: ""
  use-syslog: no
  pidfile: ""
  interface: {UNBOUND4}
  interface: {UNBOUND6}
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  so-rcvbuf: 8m
  module-config: "iterator"
  local-zone: "example." static
{lines}
remote-control:
  control-enable: no
""")


def named(house, options=""):
    zone = Path(house.dir) / "example.zone"
    zone.write_text("$TTL 300\n@ SOA ns.example. host.example. 1 3600 600 86400 60\n@ NS ns.example.\n"
                    "ns.example. A 192.0.2.53\n" + "".join(f"{n}. {k} {d}\n" for n, k, d in RECORDS))
    return serve(house, "named", ["named", "-g", "-c"], NAMED4, f"""
options {{
  directory "{house.dir}";
  pid-file "{house.dir}/named.pid";
  session-keyfile "{house.dir}/named.key";
  listen-on {{ {NAMED4}; }};
  listen-on-v6 {{ {NAMED6}; }};
  dnssec-validation no;
  recursion yes;
  allow-query {{ any; }};
  allow-recursion {{ any; }};
  cookie-algorithm siphash24;
  cookie-secret "{COOKIE_SECRET}";
  {options}
}};
controls {{ }};
zone "example" {{ type primary; file "{zone}"; }};
""")


def serve(house, name, argv, address, config):
    """Starts a resolver in the foreground and asks it, over loopback, until it answers NOERROR: named listens before it
    has read its zones. TCP, because it needs no cookie."""
    path = Path(house.dir) / f"{name}.conf"
    path.write_text(config)
    log = open(f"{house.dir}/{name}.log", "w")
    child = subprocess.Popen(house.inside.enter(*argv, path), stdout=log, stderr=log)
    log.close()
    house.children.append(child)
    query = bytes.fromhex("abcd01000001000000000000") + b"\x07allowed\x07example\0" + bytes([0, 1, 0, 1])
    deadline = time.monotonic() + PATIENCE
    while (ask(house.inside, address, query, tcp=True, timeout=0.1) or b"\xff" * 4)[3] & 0x0F:
        assert child.poll() is None and time.monotonic() < deadline, Path(f"{house.dir}/{name}.log").read_text()
    return child


# ---- asking ---------------------------------------------------------------------------------------


def ask(netns, server, wire, tcp=False, timeout=PATIENCE):
    """One query, one answer, as octets; None when none came. Who expects none says how long he listens."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with netns.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((server, 53))
            sock.sendall(struct.pack("!H", len(wire)) + wire if tcp else wire)
            return stream_answer(sock) if tcp else sock.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def stream_answer(sock):
    """RFC 1035 section 4.2.2: two octets of length, then the message."""
    answer = b""
    while len(answer) < 2 or len(answer) < 2 + struct.unpack("!H", answer[:2])[0]:
        if not (chunk := sock.recv(65535)):
            return None
        answer += chunk
    return answer[2:]


def burst(netns, frame, device):
    """One frame, as it is, out of a device."""
    with netns.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((device, 0))
        sock.send(frame)


def environment_is_complete():
    """What is missing for this room, or None."""
    for tool in (LOAD, XDP_PASS):
        if not os.path.exists(tool):
            return f"{tool} is not built: run make"
    return None
