# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: what it shows, and that it comes up and goes away whatever was done to it."""
import fnmatch
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

import house as h
from guarded import run, wait_for

ROOMS = ("server", "clients", "attacker", "net")


class Lab:
    def __init__(self):
        self.name = f"dgnet-{uuid.uuid4().hex[:6]}"
        self.env = dict(os.environ, DNSGUARD_LAB=self.name, DNSGUARD_LAB_SECONDS="2")

    def argv(self, *words):
        return [str(h.BUILD / "dnsguard"), "lab", *words]

    def __call__(self, *words, check=True, **env):
        return run(*self.argv(*words), check=check, env={**self.env, **env})

    def namespaces(self):
        return {room for room in ROOMS if Path(f"/run/netns/{self.name}-{room}").exists()}

    def is_whole(self):
        dig = run("nsenter", f"--net=/run/netns/{self.name}-clients", "dig", "+time=20", "@10.53.0.1", "www1.lab.example",
                  check=False)
        return self.namespaces() == set(ROOMS) and "status: NOERROR" in dig.stdout

    def is_gone(self):
        mounted = Path("/proc/mounts").read_text()
        return not self.namespaces() and not Path(f"/run/{self.name}").exists() and self.name not in mounted


@pytest.fixture
def lab():
    made = Lab()
    yield made
    made("down")
    Path(f"/run/{made.name}.lock").unlink()
    assert made.is_gone()


def test_run_shows_the_guard_at_work(lab):
    """The table's own figures: with the guard honest clients are answered, without they are not; the name is blocked."""
    shown = json.loads(lab("run", "--json").stdout)
    without, guarded = shown["without_guard"], shown["with_guard"]
    assert without["honest"]["answered_percent"] < 90 < 99 <= guarded["honest"]["answered_percent"]
    assert min(without["flood"]["frames"], guarded["flood"]["frames"]) > 10000
    # Of what is refused the lab answers each second one with TC=1.
    assert shown["verdicts"]["drop_limited"] > 0.4 * guarded["flood"]["frames"]
    assert (shown["blocked"]["without_guard"], shown["blocked"]["with_guard"]) == ("NOERROR", "NXDOMAIN")
    guards = run(h.BUILD / "dnsguard", "--bpffs", f"/run/{lab.name}/bpf", "top", "--once", "--interval", "1s").stdout
    assert "drop_limited" in guards


def test_commands_that_read_find_the_lab():
    """Its guard, and for `tcp` its listeners. In a room with a bpffs and a /run of its own: this host may have a guard, and a lab."""
    script = """mount -t tmpfs run /run && mount -t bpf bpf /sys/fs/bpf && "$1" lab up >&2 || exit
        trap '"$1" lab down >&2' EXIT
        nsenter --net=/run/netns/dnsguard-lab-server "$1" --bpffs /run/dnsguard-lab/bpf --state-dir /run/dnsguard-lab/state \\
            attach eth0 >&2
        "$1" status --json && "$1" tcp --json"""
    done = run("unshare", "--mount", "sh", "-c", script, "sh", h.BUILD / "dnsguard", check=False)
    assert done.returncode == 0, done.stderr
    status, end = json.JSONDecoder().raw_decode(done.stdout)
    tcp = json.loads(done.stdout[end:])
    assert [row["name"] for row in status["interfaces"]] == ["eth0"]
    assert "10.53.0.1" in {row["address"] for row in tcp["listeners"]}
    assert done.stderr.count("dnsguard: no guard on this host; this is the lab's\n") == 2


def test_up_twice_and_down_twice(lab):
    lab("up")
    assert lab.is_whole()
    assert "up already" in lab("up").stdout
    assert lab.is_whole()
    lab("down")
    assert lab.is_gone()
    lab("down")


def test_up_builds_anew_what_was_half_taken_away(lab):
    """A namespace gone, a resolver killed: the lab is not up, whatever its directory says."""
    lab("up")
    run("ip", "netns", "del", f"{lab.name}-clients")
    lab("up")
    assert lab.is_whole()
    for pid in run("ip", "netns", "pids", f"{lab.name}-server").stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    lab("up")
    assert lab.is_whole()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
def test_interrupted_it_leaves_nothing(lab, number):
    one = subprocess.Popen(lab.argv("run"), env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    wait_for(lambda: Path(f"/run/{lab.name}/before.flood").exists())
    os.killpg(one.pid, number)  # a terminal signals everybody in the foreground
    assert one.wait(60) != 0
    assert lab.is_gone()


def test_killed_it_can_be_put_right(lab):
    one = subprocess.Popen(lab.argv("run"), env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    wait_for(lambda: Path(f"/run/{lab.name}/before.flood").exists())
    os.killpg(one.pid, signal.SIGKILL)
    one.wait(60)
    lab("up")
    assert lab.is_whole()


@pytest.fixture
def tools(tmp_path):
    """A directory with every tool of the system but some; "sbin" in its name, so that the lab adds none to it."""
    def without(*names):
        room = tmp_path / "sbin"
        room.mkdir()
        for place in ("/usr/sbin", "/usr/bin"):
            for tool in Path(place).iterdir():
                if not any(fnmatch.fnmatch(tool.name, name) for name in names) and not (room / tool.name).is_symlink():
                    (room / tool.name).symlink_to(tool)
        return str(room)

    return without


def test_named_where_unbound_is_not_there(lab, tools):
    """The whole of it again, by the other resolver."""
    shown = lab("run", PATH=tools("unbound*")).stdout
    assert "Lab: named on 10.53.0.1" in shown
    processes = run("ip", "netns", "pids", f"{lab.name}-server").stdout.split()
    assert {Path(f"/proc/{pid}/comm").read_text().strip() for pid in processes} == {"named"}
    answered, = [line.split() for line in shown.splitlines() if line.split()[:1] == ["answered"]]
    assert float(answered[1]) < 90 < 99 <= float(answered[2])
    assert "status: NOERROR" in shown and "status: NXDOMAIN" in shown
    assert lab.is_whole()
    assert "up already" in lab("up").stdout


def test_without_any_resolver_it_says_what_to_install(lab, tools):
    done = lab("up", check=False, PATH=tools("unbound*", "named*"))
    assert done.returncode == 1 and "no resolver: apt-get install unbound (or bind9)" in done.stderr
    assert not lab.namespaces()
    lab("up")


def test_missing_tools_are_named(lab, tools):
    done = lab("up", check=False, PATH=tools("dig"))
    assert done.returncode == 1 and "dig is missing: apt-get install" in done.stderr, done.stderr
    assert not lab.namespaces()
    lab("up")


def test_bad_words_are_refused(lab):
    done = lab("flood", "soon", check=False)
    assert done.returncode != 0 and "the lab is not up" in done.stderr
    lab("up")
    done = lab("flood", "soon", check=False)
    assert done.returncode != 0 and "'soon' is not a whole number of seconds" in done.stderr
    assert json.loads(lab("flood", "1", "--json").stdout)["frames"] > 1000
