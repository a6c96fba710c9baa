"""A policy zone from a real primary (Knot DNS), through the same pipeline as every other list."""

import os
import socket
import struct
import subprocess
import time

import pytest

from house import FAILED, PATIENCE

ZONE = "rpz.example"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="


def zone_text(serial, *names):
    head = f"$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns h {serial} 1800 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
    return head + "".join(f"{name} CNAME .\n" for name in names)


class Primary:
    def __init__(self, directory):
        self.dir, self.serial = directory, 0
        # Nobody else has this address: no process has our number, and 127.64.0.0/10 is wide enough for all of them.
        self.address = socket.inet_ntoa(struct.pack("!I", 0x7F400000 | os.getpid() & 0x3FFFFF))
        (self.dir / "knot.conf").write_text(f"""
server:
    rundir: "{self.dir}"
    listen: {self.address}@5300
    tcp-io-timeout: 30000  # half a second is its default: less than a busy machine may take to read
database:
    storage: "{self.dir}"
key:
  - id: k.example
    algorithm: hmac-sha256
    secret: {SECRET}
acl:
  - id: fleet
    key: k.example
    action: transfer
zone:
  - domain: {ZONE}
    file: "{self.dir}/zone"
    acl: fleet
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
""")

    def start(self, *names):
        self.write(*names)
        self.process = subprocess.Popen(["knotd", "-c", self.dir / "knot.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def write(self, *names):
        self.serial += 1
        (self.dir / "zone").write_text(zone_text(self.serial, *names))

    def control(self, *words):
        done = subprocess.run(["knotc", "-s", self.dir / "knot.sock", *words], text=True, capture_output=True, timeout=PATIENCE)
        return done.stdout if done.returncode == 0 else ""

    def wait(self):
        """The server says itself when it has loaded the zone."""
        deadline = time.monotonic() + PATIENCE
        while f"serial: {self.serial}" not in self.control("zone-status", ZONE):
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.02)

    def change(self, *names):
        self.write(*names)
        self.control("-b", "zone-reload", ZONE)
        self.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture
def primary(room):
    directory = room.dir / "knot"
    directory.mkdir()
    made = Primary(directory)
    made.start("a.example", "*.a.example", "b.example")
    key = room.dir / "key"
    key.write_text(f'key "k.example" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n')
    os.chmod(key, 0o600)
    made.source = (f"axfr://{made.address}:5300/{ZONE}", "--tsig-file", key)
    made.key = key
    yield made
    made.stop()


def test_a_zone_becomes_a_list_and_follows_its_primary(room, primary):
    room.cli("list", "add", "policy", *primary.source)
    shown = room.list("policy")
    assert shown["format"] == "rpz" and shown["interval_seconds"] == 1800  # the SOA's refresh
    assert room.dump("policy") == ["a.example", "b.example"]
    assert room.json("list", "update")["lists"][0]["outcome"] == "unchanged"
    primary.change("a.example", "*.a.example", "b.example", "c.example")
    assert room.json("list", "update")["lists"][0]["outcome"] == "updated"
    assert room.dump("policy") == ["a.example", "b.example", "c.example"]
    primary.change("a.example", "*.a.example", "c.example", "d.example")
    said = room.cli("list", "diff", "policy").stdout.splitlines()
    assert [line.split("\t")[0] for line in said[:-1]] == ["-b.example", "+d.example"]


def test_a_primary_that_is_gone(room, primary):
    room.cli("list", "add", "policy", *primary.source)
    primary.stop()
    (row,) = room.json("list", "update", status=FAILED)["lists"]
    assert row["outcome"] == "stale" and f"{primary.address}@5300" in row["error"]
    assert len(room.dump("policy")) == 2
    primary.start("a.example")


def test_a_primary_that_does_not_know_us(room, primary):
    primary.key.write_text(primary.key.read_text().replace(SECRET, SECRET[::-1].replace("=", "") + "=="))
    room.refused("list", "add", "policy", *primary.source, status=FAILED)
    room.refused("list", "add", "policy", primary.source[0], status=FAILED)
    room.refused("list", "add", "policy", primary.source[0], "--tsig-file", room.dir / "no", status=FAILED)
    assert room.lists() == []


def test_a_zone_that_shrank(room, primary):
    primary.change(*(f"n{i}.example" for i in range(10)))
    room.cli("list", "add", "policy", *primary.source)
    primary.change("n0.example")
    (row,) = room.json("list", "update", status=5)["lists"]
    assert "lost more than half" in row["error"]
    primary.change(*(f"n{i}.example" for i in range(9)))
    assert room.json("list", "update")["lists"][0]["outcome"] == "updated"
