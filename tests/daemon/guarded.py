"""A daemon in network namespaces of its own, and what tests ask of it.

Two namespaces joined by a veth pair: the guarded side, where dnsguardd runs, and the peer, which sends queries. Each
test has its own bpffs directory, state directory and port, and takes all of it away again.
"""

import ctypes
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("DG_BUILD", ROOT / "build"))
DAEMON, CLI = BUILD / "dnsguardd", BUILD / "dnsguard"
BPFFS = Path("/sys/fs/bpf")
IP_ROOMS = {"ip", "tc", "xdp"}  # what iproute2 makes on a bpffs when it loads an object; the host's is not ours
PORT = 10530  # in a namespace of our own it is free
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
QUERY = bytes.fromhex("00000100000100000000000003777777076578616d706c650000010001")  # www.example A
PATIENCE = 120  # seconds; a test that waits so long has failed, on a machine as busy as it may be
# What the packaged service holds and no more: what works under it works for root as well.
SANDBOX = ("setpriv", "--no-new-privs",
           "--bounding-set=-all,+bpf,+net_admin,+perfmon,+setuid,+setgid,+kill,+net_bind_service")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(*argv, check=True, **kwargs):
    return subprocess.run([str(a) for a in argv], check=check, text=True, capture_output=True, **kwargs)


def wait_for(true):
    """Asks until it is so. For what the kernel or the daemon does in its own time; the deadline is generous."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.01)


def set_abi_version(world, version):
    path = world.bpffs / "dnsguard" / "dg_settings"
    row, = json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)
    value = [f"{byte:#x}" for byte in version.to_bytes(4, "little")] + row["value"][4:]
    run("bpftool", "map", "update", "pinned", path, "key", "0", "0", "0", "0", "value", *value)


def other_layout(world, version=99):
    """What is pinned becomes another build's, under a program that runs: the number, and a map whose values are longer."""
    set_abi_version(world, version)
    path = world.bpffs / "dnsguard" / "dg_ifaces"
    old = json.loads(run("bpftool", "-j", "map", "show", "pinned", path).stdout)
    path.unlink()
    run("bpftool", "map", "create", path, "type", old["type"], "key", old["bytes_key"], "value", old["bytes_value"] + 8,
        "entries", old["max_entries"], "name", path.name)


class Lines:
    """The lines of a pipe, one at a time and never later than the deadline."""

    def __init__(self, pipe):
        self.fd, self.rest, self.seen, self.held = pipe.fileno(), b"", [], []
        os.set_blocking(self.fd, False)

    def next(self, deadline):
        while b"\n" not in self.rest:
            left = max(deadline - time.monotonic(), 0)  # what is there already is read, however late it is
            if not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError("no such line among: " + " / ".join(self.seen))
            chunk = os.read(self.fd, 65536)
            if not chunk:
                raise EOFError("the daemon ended: " + " / ".join(self.seen))
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        self.seen.append(line.decode(errors="replace"))
        return self.seen[-1]

    def rest_of(self):
        """All lines so far, those that wait in the pipe included; what is asked for next comes behind them."""
        self.held.clear()
        try:
            while True:
                self.next(time.monotonic() + 0.1)
        except TimeoutError:
            return self.seen

    def hold(self, deadline):
        """Reads a line that nobody has asked for yet."""
        self.held.append(self.next(deadline))

    def until(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, line := self.held.pop(0) if self.held else self.next(deadline)):
            pass
        return line


class Netns:
    def __init__(self, name):
        self.name, self.path = name, f"/run/netns/{name}"
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def enter(self, *argv):
        """The command line that runs argv in here; keeps the mounts, which `ip netns exec` would not."""
        return ["nsenter", f"--net={self.path}", *map(str, argv)]

    def socket(self, family, kind, proto=0):
        return self.sockets(1, family, kind, proto)[0]

    def sockets(self, count, family, kind, proto=0):
        """Sockets that live in here: a namespace belongs to a thread, a socket keeps the one it was made in."""
        made = []

        def make():
            fd = os.open(self.path, os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                made.extend(socket.socket(family, kind, proto) for _ in range(count))
            finally:
                os.close(fd)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        assert len(made) == count
        return made

    def delete(self):
        run("ip", "netns", "del", self.name, check=False)


def operstate(netns, device):
    """The kernel says it a moment after `ip link set` has returned, and gives the device its IPv6 address then."""
    return json.loads(netns.ip("-j", "link", "show", "dev", device).stdout)[0]["operstate"]


class Http(http.client.HTTPConnection):
    def __init__(self, netns, host="127.0.0.1", port=PORT):
        super().__init__(host, port, timeout=PATIENCE)
        self.netns = netns

    def connect(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.sock = self.netns.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect((self.host, self.port))


class Notify:
    """The receiving end of sd_notify."""

    def __init__(self, path):
        self.path, self.socket = path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(PATIENCE)

    def until(self, word):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if word in (text := self.socket.recv(4096).decode()).split("\n"):
                return text
        raise TimeoutError(word)


class Daemon:
    def __init__(self, world, *args, config=None, env=None, wrap=SANDBOX):
        self.world, self.port = world, PORT
        self.notify = Notify(f"{world.dir}/notify-{uuid.uuid4().hex[:8]}")
        argv = [*wrap, DAEMON, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", *args]
        if config is not None:
            argv += ["--config", world.config(config)]
        environ = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
        environ.update(NOTIFY_SOCKET=self.notify.path, **(env or {}))
        self.process = subprocess.Popen(world.inside.enter(*argv), env=environ, stderr=subprocess.PIPE)
        self.log = Lines(self.process.stderr)
        world.daemons.append(self)

    def ready(self):
        """Waits for READY=1; a daemon that ends instead says why in its log."""
        while True:
            readable = select.select([self.notify.socket, self.process.stderr], [], [], PATIENCE)[0]
            if self.notify.socket in readable:
                self.notify.until("READY=1")
                return self
            if not readable:
                raise TimeoutError("not ready: " + " / ".join(self.log.seen))
            self.log.hold(time.monotonic() + PATIENCE)

    def fails(self):
        """Waits for the end of one that must not start: (exit status, log)."""
        stderr = self.process.communicate(timeout=PATIENCE)[1].decode()
        return self.process.returncode, stderr

    def kill(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.kill(number)
            self.process.wait(PATIENCE)
        return self.process.returncode

    def get(self, path, method="GET", **headers):
        connection = Http(self.world.inside, port=self.port)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response, body

    def samples(self):
        """{series as written: number}."""
        body = self.get("/metrics")[1]
        rows = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def packets(self, verdict, interface="guarded"):
        return self.samples()[f'dnsguard_packets_total{{interface="{interface}",verdict="{verdict}"}}']


class World:
    """Namespaces, veth, directories. The guarded device is called `guarded`, its other end `peer`."""

    def __init__(self):
        tag = uuid.uuid4().hex[:6]
        self.daemons = []
        self.strays = IP_ROOMS & set(os.listdir(BPFFS))
        self.dir = tempfile.mkdtemp(prefix="dg-daemon-")
        self.bpffs = BPFFS / f"t-daemon-{tag}"
        self.bpffs.mkdir()
        os.mkdir(f"{self.dir}/state")
        self.inside, self.outside = Netns(f"dgd-in-{tag}"), Netns(f"dgd-out-{tag}")
        self.make_device()

    def make_device(self, name="guarded", peer="peer"):
        run("ip", "link", "add", name, "netns", self.inside.name, "type", "veth", "peer", "name", peer,
            "netns", self.outside.name)
        self.inside.ip("addr", "add", f"{SERVER}/24", "dev", name)
        self.outside.ip("addr", "add", f"{CLIENT}/24", "dev", peer)
        self.inside.ip("link", "set", name, "up")
        self.outside.ip("link", "set", peer, "up")
        for netns, device in ((self.inside, name), (self.outside, peer)):
            wait_for(lambda: operstate(netns, device) == "UP")

    def run_file(self, kind):
        """What programs keep of this guard beside its pins: the hash in the name is FNV-1a of their directory's."""
        number = 0xCBF29CE484222325
        for byte in str(self.bpffs).encode():
            number = (number ^ byte) * 0x100000001B3 % 2**64
        return Path(f"/run/dnsguard/{kind}-{number:016x}")

    def config(self, text):
        path = f"{self.dir}/config.yaml"
        Path(path).write_text(text)
        return path

    def query(self, server=SERVER, count=1):
        """Sends plain queries for a name nobody lists; answers are not waited for, there is no resolver."""
        sock = self.outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(count):
            sock.sendto(bytes([0, i & 255]) + QUERY[2:], (server, 53))
        sock.close()

    def cli(self, *args, check=True):
        return run(*self.inside.enter(CLI, "--bpffs", self.bpffs, "--state-dir", f"{self.dir}/state", *args), check=check)

    def status(self):
        return json.loads(self.cli("status", "--json").stdout)

    def frames(self, verdict):
        return self.status()["verdicts"][verdict]["frames"]

    def map_values(self, name):
        """The values of a pinned map, field by field (its BTF tells how)."""
        dumped = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.bpffs / "dnsguard" / name).stdout)
        return [row["formatted"]["value"] for row in dumped]

    def settings(self):
        """All but the clock's offset, which the daemon sets anew now and then."""
        return {k: v for k, v in self.map_values("dg_settings")[0].items() if k != "realtime_offset_ns"}

    def iface(self, name="guarded"):
        return next(row for row in self.map_values("dg_ifaces") if row["name"] == name)

    def guards(self, address):
        """Is this address in the guard's table of services?"""
        raw = bytes(10) + b"\xff\xff" + socket.inet_aton(address)
        wanted = dict(zip(("hi", "lo"), struct.unpack("<QQ", raw)))
        rows = (row for bucket in self.map_values("dg_services") for row in zip(bucket["addr"], bucket["flags"]))
        return any(addr == wanted and flags & 1 for addr, flags in rows)

    def mac(self):
        return json.loads(self.inside.ip("-j", "link", "show", "guarded").stdout)[0]["address"]

    def link(self, name="guarded"):
        """(link id, program id) of what is pinned for a device."""
        shown = json.loads(run("bpftool", "-j", "link", "show", "pinned", self.bpffs / "dnsguard" / "links" / name).stdout)
        shown = shown[0] if isinstance(shown, list) else shown
        return shown["id"], shown["prog_id"]

    def left_behind(self):
        """What a killed daemon had started goes on to its end, and still writes into its state directory."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(pid) != os.getpid() and str(self.dir).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
            except OSError:
                continue
        return found

    def close(self):
        for daemon in self.daemons:
            daemon.stop(signal.SIGKILL)
            daemon.process.stderr.close()
            daemon.notify.socket.close()
        shutil.rmtree(self.bpffs / "dnsguard", ignore_errors=True)
        self.bpffs.rmdir()
        self.inside.delete()
        self.outside.delete()
        wait_for(lambda: not self.left_behind())
        shutil.rmtree(self.dir)
        assert IP_ROOMS & set(os.listdir(BPFFS)) <= self.strays, "`ip ... obj` ran without a TC_BPF_MNT of its own"
