"""What a guard's clock says of answers whose delay is known."""

import json
import random
import socket
import subprocess
import time
from pathlib import Path

from guarded import PATIENCE, QUERY, SERVER, run

from callers import Room

SLOW = Path(__file__).resolve().parent / "slow.py"
AT_ONCE = 64


def about(seconds, delay_ms, waited):
    """Not sooner than the delay and not later than the client had it (after `waited` seconds), to the width of a bucket."""
    return delay_ms / 1000 * 0.8 <= seconds <= waited * 1.25


def named(first):
    """The query with another first label."""
    return QUERY[:12] + bytes([len(first)]) + first + QUERY[16:]


class Clock(Room):
    waited = 0  # seconds, the longest that a query of ask() or ask_tcp() can have taken

    def resolver(self, delay_ms, *addresses):
        child = subprocess.Popen(self.inside.enter("/usr/bin/python3", SLOW, *(addresses or (SERVER,)), delay_ms),
                                 stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout.readline() == "listening\n"
        child.stdout.close()
        return child

    def time_all(self):
        """Every UDP query is timed, not one in so many."""
        self.set_word("asked_below", 1 << 32)

    def set_word(self, field, value):
        """One 64-bit field of the live settings, by its place in the map's BTF."""
        path = self.bpffs / "dnsguard" / "dg_settings"
        shown = json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)[0]
        raw = bytearray(int(byte, 16) for byte in shown["value"])
        offset = self.fields()[field]
        raw[offset:offset + 8] = value.to_bytes(8, "little")
        run("bpftool", "map", "update", "pinned", path, "key", "0", "0", "0", "0", "value", *map(str, raw))

    def fields(self):
        """{field of struct dg_settings: its offset}."""
        shown = run("bpftool", "-j", "map", "show", "pinned", self.bpffs / "dnsguard" / "dg_settings").stdout
        btf = json.loads(run("bpftool", "-j", "btf", "dump", "id", json.loads(shown)["btf_id"]).stdout)["types"]
        struct = next(row for row in btf if row["kind"] == "STRUCT" and row["name"] == "dg_settings")
        return {member["name"]: member["bits_offset"] // 8 for member in struct["members"]}

    def client(self, address=SERVER, kind=socket.SOCK_DGRAM):
        sock = self.outside.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        self.sockets.append(sock)
        sock.settimeout(PATIENCE)
        sock.connect((address, 53))
        return sock

    def ask(self, count=1, address=SERVER):
        """So many UDP queries, no more at once than any socket has room for; all answered before this returns."""
        ids = random.Random(count).sample(range(1 << 16), count)
        with self.client(address) as sock:  # closed: who asks for as long as something else takes would run out of descriptors
            for begin in range(0, count, AT_ONCE):
                numbers = ids[begin:begin + AT_ONCE]
                began = time.monotonic()
                for number in numbers:
                    sock.send(number.to_bytes(2, "big") + QUERY[2:])
                for _ in numbers:
                    sock.recv(512)
                self.waited = max(self.waited, time.monotonic() - began)
        self.sockets.remove(sock)

    def ask_tcp(self, sock, count=1):
        for _ in range(count):
            began = time.monotonic()
            sock.sendall(len(QUERY).to_bytes(2, "big") + QUERY)
            assert len(sock.recv(512)) == 2 + len(QUERY)
            self.waited = max(self.waited, time.monotonic() - began)

    def latency_rows(self):
        """Of each kind the values of every CPU."""
        path = self.bpffs / "dnsguard" / "dg_latency"
        return [row["formatted"]["values"] for row in json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)]

    def sum_seconds(self, kind):
        """Of all answers of a kind, exactly."""
        return sum(cpu["value"]["sum_ns"] for cpu in self.latency_rows()[kind]) / 1e9

    def latency(self):
        return self.status()["latency"]

    def filters(self):
        return run(*self.inside.enter("tc", "filter", "show", "dev", "guarded", "egress")).stdout
