"""The compiler of lists as a process: a room with a key, and short ways to ask it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True

COMPILE = Path(os.environ.get("DG_BUILD", "build")).resolve() / "dnsguard-compile"
KEY = bytes(range(32))


class Room:
    """A directory with files of lists, and the compiler run in it."""

    def __init__(self, path):
        self.path = path
        (path / "key").write_bytes(KEY)

    def write(self, name, content):
        content = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(content)
        return name

    def run(self, *arguments, stdin=b"", **options):
        return subprocess.run([str(COMPILE), *map(str, arguments)], input=stdin, capture_output=True, timeout=120,
                              cwd=self.path, check=False, **options)

    def lists(self, *given):
        """("NAME,settings", content) pairs as arguments; each content becomes a file."""
        for number, (words, content) in enumerate(given):
            yield from ("--list", words, self.write("feed%d" % number, content))

    def check(self, *given, options=()):
        """The report of --check, which must succeed."""
        done = self.run("--check", "--json", *options, *self.lists(*given))
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def refused(self, *given, options=(), status=1):
        """The report and the sentence of a --check that must not succeed."""
        done = self.run("--check", "--json", *options, *self.lists(*given))
        assert done.returncode == status, done.stdout.decode() + done.stderr.decode()
        report = json.loads(done.stdout)
        sentence = done.stderr.decode().strip()
        assert sentence == "dnsguard-compile: " + report["error"]
        return report, sentence

    def dump(self, *given, options=()):
        done = self.run("--dump", *options, *self.lists(*given))
        assert done.returncode == 0, done.stderr.decode()
        return [tuple(line.split("\t")) for line in done.stdout.decode().splitlines()]

    def build(self, *given, options=()):
        done = self.run("--key", "key", "-o", "image", "--json", *options, *self.lists(*given))
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def where(self, name, *given, status=0):
        done = self.run("--where", name, "--json", *self.lists(*given))
        assert done.returncode == status, done.stderr.decode()
        return json.loads(done.stdout)["where"]


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)
