"""State directories with lists in them, and a guarded device for those that must become live.

A Room needs no guard: lists are compiled with the state directory's key. A GuardedRoom has a veth pair between two
namespaces of its own, the near end guarded. Each takes all of it away again.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import BPFFS, BUILD, CLI, PATIENCE, Netns, run  # noqa: E402

OK, FAILED, USAGE, NOT_ATTACHED, NOT_FOUND, UNSAFE = range(6)
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"


class Room:
    def __init__(self):
        self.tag = uuid.uuid4().hex[:6]
        self.dir = Path(tempfile.mkdtemp(prefix="dgl-"))
        self.state = self.dir / "state"
        self.state.mkdir(0o755)
        self.bpffs = BPFFS / f"t-lists-{self.tag}"  # nothing is there unless a guard is attached

    def file(self, name, *lines, end="\n"):
        path = self.dir / name
        path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + end.encode() for line in lines))
        return path

    def argv(self, *args):
        return [str(a) for a in (CLI, "--bpffs", self.bpffs, "--state-dir", self.state, *args)]

    def cli(self, *args, status=OK):
        done = subprocess.run(self.argv(*args), text=True, capture_output=True, timeout=PATIENCE)
        assert done.returncode == status, done
        return done

    def json(self, *args, status=OK):
        return json.loads(self.cli(*args, "--json", status=status).stdout)

    def refused(self, *args, status):
        """What the command said when it refused; it must have said it once, and nothing else."""
        done = self.cli(*args, status=status)
        assert done.stdout == "" and done.stderr.startswith("dnsguard: ")
        return done.stderr

    def lists(self):
        return self.json("list", "ls")["lists"]

    def list(self, name):
        return self.json("list", "show", name)

    def dump(self, name):
        return [line.split("\t")[0] for line in self.cli("list", "dump", name).stdout.splitlines()]

    def tree(self):
        """Every file below the state directory with what is in it; what only tells of attempts is left out."""
        found = {}
        for path in sorted(self.state.rglob("*")):
            name = str(path.relative_to(self.state))
            if path.is_file() and path.name not in (".lock", "key"):
                found[name] = path.read_bytes()
        return found

    def close(self):
        shutil.rmtree(self.dir)


class GuardedRoom(Room):
    def __init__(self):
        super().__init__()
        self.bpffs.mkdir()
        self.namespaces = []
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        self.inside, self.outside = self.netns("in"), self.netns("out")
        run("ip", "link", "add", "guarded", "netns", self.inside.name, "type", "veth", "peer", "name", "peer",
            "netns", self.outside.name)
        self.inside.ip("addr", "add", f"{SERVER}/24", "dev", "guarded")
        self.inside.ip("link", "set", "guarded", "up")
        self.outside.ip("link", "set", "peer", "up")
        self.attach()

    def netns(self, word):
        self.namespaces.append(Netns(f"dgl-{word}-{self.tag}"))
        return self.namespaces[-1]

    def argv(self, *args):
        return self.inside.enter(*super().argv(*args))

    def attach(self):
        self.cli("attach", "guarded")

    def detach(self):
        self.cli("detach", "--all", "--purge")

    def explain(self, name):
        return self.json("explain", name, "--client", CLIENT)

    def decided(self, name):
        """(verdict, list) of the live program for a query for this name."""
        found = self.explain(name)
        return found["verdict"], found["list"]

    def sources(self):
        return {row["prefix"]: row for row in self.json("source", "show")["sources"]}

    def image_maps(self):
        """The kernel's arrays that are as large as this guard's image: one, unless old ones stay behind."""
        (row,) = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.bpffs / "dnsguard" / "dg_image").stdout)
        shown = json.loads(run("bpftool", "-j", "map", "show").stdout)
        ours = int.from_bytes(bytes(int(octet, 16) for octet in row["value"]), "little")  # an inner map shows as its id
        entries = next(m["max_entries"] for m in shown if m["id"] == ours)
        return [m["id"] for m in shown if m.get("name") == "dg_image_data" and m["max_entries"] == entries]

    def close(self):
        shutil.rmtree(self.bpffs / "dnsguard", ignore_errors=True)
        self.bpffs.rmdir()
        for netns in self.namespaces:
            netns.delete()
        super().close()


def rights(path):
    return os.stat(path).st_mode & 0o777
