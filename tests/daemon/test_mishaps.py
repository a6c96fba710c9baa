"""What happens to a configuration in the wild: two who change it at once, files that vanish or are half written, a full disk."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from guarded import BUILD, CLI, PATIENCE, QUERY, SERVER, Daemon, other_layout, run, set_abi_version, wait_for

FILE = "interfaces: [guarded]\nlimits: {{slip: {slip}}}\n"
XDP_PASS = BUILD / "lab" / "xdp_pass.bpf.o"


def start(world, slip=7, **kwargs):
    return Daemon(world, config=FILE.format(slip=slip), **kwargs)


def at_once(world, *commands):
    """The command lines, all started before any is waited for; (exit status, stdout, stderr) of each."""
    argv = [world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", *words) for words in commands]
    children = [subprocess.Popen([str(a) for a in line], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for line in argv]
    said = [child.communicate(timeout=PATIENCE) for child in children]
    return [(child.returncode, *texts) for child, texts in zip(children, said)]


# ---- two at once ------------------------------------------------------------------------------------


def test_two_reloads_at_once_are_both_answered(world):
    start(world).ready()
    world.config(FILE.format(slip=9))
    done = at_once(world, *[["reload"]] * 4)
    assert [status for status, _, _ in done] == [0] * 4, done
    shown = sorted(out for _, out, _ in done)
    assert shown == ["limits.slip: 7 -> 9\napplied\n"] + ["nothing changes\napplied\n"] * 3
    assert world.settings()["slip"] == 9


def test_a_signal_from_elsewhere_does_not_swallow_the_answer(world):
    """As when `systemctl reload` comes between a command's note and its signal: the note is taken, then asked again without one."""
    daemon = start(world).ready()
    token = "0123456789abcdef" * 2
    world.run_file("ask").write_text(f"{token}\nsomebody\n")
    for _ in ("the other's signal", "the command's own"):
        daemon.kill(signal.SIGHUP)
        daemon.notify.until("RELOADING=1")
        daemon.notify.until("READY=1")
        assert json.loads(world.run_file("config").read_text())["token"] == token


def test_saved_by_many_at_once_none_is_lost(world):
    start(world).ready()
    changes = {"slip": "3", "rate-limit": "31", "instant-limit": "62", "syn-rate": "17", "mode": "observe"}
    done = at_once(world, *[["limit", "set", f"--{key}", value, "--save"] for key, value in changes.items()],
                   ["attach", "guarded", "--observe", "--save"])
    assert [status for status, _, _ in done] == [0] * 6, done
    text = Path(world.dir, "conf.d", "50-cli.yaml").read_text()
    for words in ("slip: 3", "rate-limit: 31", "instant-limit: 62", "rate-limit: 17", "mode: observe",
                  "interfaces: [{name: guarded, observe: true}]"):
        assert f"{words} # " in text, text
    assert [path.name for path in Path(world.dir, "conf.d").iterdir()] == ["50-cli.yaml"]


# ---- at the start -----------------------------------------------------------------------------------


def test_a_signal_during_the_start_is_a_reload(world):
    """It comes with the very call that shows the daemon's pid to others, and again while the guard's lock is waited for."""
    daemon = start(world, wrap=("strace", "-D", "-qq", "-o", f"{world.dir}/strace", "-e", "trace=flock", "-e",
                                "inject=flock:signal=HUP:when=1"))
    daemon.ready()
    daemon.log.until("configuration applied")
    assert world.settings()["slip"] == 7 and daemon.process.poll() is None


def test_a_reload_asked_during_the_start_is_answered(world):
    """The daemon waits for the guard's lock, which we hold; the file changes meanwhile."""
    start(world).ready()
    lock = world.run_file("lock")
    world.daemons[-1].stop()
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = start(world, slip=8)
        wait_for(lambda: second.process.poll() is not None or waits_for_lock(second.process.pid, lock))
        world.config(FILE.format(slip=9))
        second.kill(signal.SIGHUP)
    second.ready()
    second.log.until("configuration: limits.slip: 8 -> 9")
    assert world.settings()["slip"] == 9


def waits_for_lock(pid, lock):
    """Has it the file open that it cannot have for itself?"""
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") == str(lock) for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


# ---- files ------------------------------------------------------------------------------------------


def test_a_file_that_vanishes_before_the_reload_changes_nothing(world):
    daemon = start(world).ready()
    before, path = world.settings(), Path(world.dir, "config.yaml")
    path.unlink()
    refused = world.cli("reload", check=False)
    assert refused.returncode == 1 and f"{path}: cannot read: No such file or directory" in refused.stderr
    daemon.kill(signal.SIGHUP)  # as if it had been there when it was checked
    daemon.log.until(f"configuration refused, nothing changed: {path}: cannot read: No such file")
    assert world.settings() == before and daemon.get("/healthz")[1] == "ok\n"


@pytest.mark.parametrize("text, why", [("limits: {slip: 3, mo", "while parsing|did not find|expected"),
                                       ("limits:\n  slip: 3\n  mo", "expected|could not find|a value"),
                                       ("limits:\n  slip: ", ":2:")])
def test_a_half_written_part_is_refused_at_its_place(world, text, why):
    daemon = start(world).ready()
    before = world.settings()
    part = Path(world.dir, "conf.d", "20-half.yaml")
    part.parent.mkdir()
    part.write_text(text)
    refused = world.cli("reload", check=False)
    assert refused.returncode != 0 and re.search(rf"{part}:\d+:\d+: ", refused.stderr), refused
    assert re.search(why, refused.stderr), refused
    daemon.kill(signal.SIGHUP)
    daemon.log.until(rf"configuration refused, nothing changed: {part}:\d+:\d+: ")
    assert world.settings() == before


@pytest.fixture
def full_disk(world):
    """conf.d on a disk of its own, of which one octet more than the present file is free."""
    parts = Path(world.dir, "conf.d")
    parts.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16k", "full", parts)
    yield parts
    run("umount", parts)


def fill(disk):
    with open(disk / "other", "wb", buffering=0) as other:
        try:
            while True:
                other.write(bytes(4096))
        except OSError:
            pass


def test_a_full_disk_refuses_what_was_to_be_saved_and_changes_nothing(world, full_disk):
    start(world).ready()
    world.make_device("second", "peer2")
    world.cli("limit", "set", "--slip", "4", "--save")
    saved, before = (full_disk / "50-cli.yaml").read_text(), world.settings()
    fill(full_disk)
    for words in (["limit", "set", "--slip", "5"], ["attach", "second"], ["detach", "guarded"]):
        refused = world.cli(*words, "--save", check=False)
        assert refused.returncode == 1 and "No space left on device" in refused.stderr, refused
        assert "50-cli.yaml" in refused.stderr
    assert (full_disk / "50-cli.yaml").read_text() == saved
    assert sorted(path.name for path in full_disk.iterdir()) == ["50-cli.yaml", "other"]
    assert world.settings() == before and [row["name"] for row in world.status()["interfaces"]] == ["guarded"]


# ---- under load -------------------------------------------------------------------------------------


def pass_on(world):
    """What XDP sends arrives at a veth's other end only if that runs a program, too. ip makes directories on a bpffs: one of ours."""
    room = Path(world.dir, "ip")
    room.mkdir()
    script = 'mount -t bpf bpf "$1" && TC_BPF_MNT="$1" ip -n "$2" link set dev peer xdpdrv obj "$3" sec xdp.frags'
    run("unshare", "-m", "sh", "-c", script, "sh", room, world.outside.name, XDP_PASS)


class Resolver(threading.Thread):
    """Answers what passes the guard with its own question, until its socket is shut."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.sock = world.inside.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((SERVER, 53))
        self.start()

    def run(self):
        while True:
            query, whom = self.sock.recvfrom(512)
            if not query:
                return
            self.sock.sendto(query[:2] + b"\x80" + query[3:], whom)

    def stop(self, world):
        sock = world.inside.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.sendto(b"", (SERVER, 53))
        self.join()


class Client:
    """Asks for a name that passes and for one that is blocked; each query must be answered."""

    def __init__(self, world):
        self.sock = world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE)
        self.asked, self.ttls = 0, set()

    def ask(self):
        for query in (QUERY, QUERY.replace(b"\x03www\x07example", b"\x07blocked\x07example")):
            self.asked += 1
            number = (self.asked & 0xffff).to_bytes(2, "big")
            self.sock.sendto(number + query[2:], (SERVER, 53))
            answer = self.sock.recv(512)
            assert answer[:2] == number
        self.ttls.add(int.from_bytes(answer[-4:], "big"))  # MINIMUM, the last of an SOA


def test_reloads_under_load_lose_no_query_and_are_seen_whole(world):
    """Two configurations in turn, of two values that belong together; whoever looks meanwhile sees the one or the other."""
    def look():
        settings = world.settings()
        seen.add((settings["negative_ttl"], settings["slip"]))

    text = "interfaces: [guarded]\nlimits: {{mode: off, slip: {slip}}}\nanswers: {{negative-ttl: {ttl}}}\n"
    versions = [text.format(ttl=33, slip=3), text.format(ttl=44, slip=4)]
    Daemon(world, config=versions[0]).ready()
    world.cli("block", "blocked.example")
    pass_on(world)
    resolver, client, seen = Resolver(world), Client(world), set()
    for number in range(1, 7):
        world.config(versions[number % 2])
        child = subprocess.Popen(world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", "reload"),
                                 stdout=subprocess.PIPE, text=True)
        while child.poll() is None:
            client.ask()
            look()
        assert child.communicate()[0].endswith("applied\n") and child.returncode == 0
        client.ask()
        look()
    resolver.stop(world)
    assert client.ttls == {33, 44} and seen == {(33, 3), (44, 4)}
    verdicts = world.status()["verdicts"]
    assert verdicts["reply_sinkhole"]["frames"] == verdicts["pass_clean"]["frames"] == client.asked // 2


def test_an_upgrade_to_another_layout_loses_no_query(world):
    """The daemon that starts replaces maps and program under the link, while queries pass and blocked ones are answered."""
    text = "interfaces: [guarded]\nlimits: {mode: off}\nanswers: {negative-ttl: 33}\n"
    daemon = Daemon(world, config=text).ready()
    world.cli("block", "blocked.example")
    pass_on(world)
    resolver, client, link = Resolver(world), Client(world), world.link()
    daemon.stop()
    client.ask()
    other_layout(world)
    stop, lost = threading.Event(), []

    def ask():
        try:
            while not stop.is_set():
                client.ask()
        except (OSError, AssertionError) as error:
            lost.append(error)

    def asked(more):
        """The client goes on: so many more of its queries are answered."""
        until = client.asked + more
        wait_for(lambda: lost or client.asked > until)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        asked(10)
        later = Daemon(world, config=text).ready()
        asked(10)
    finally:
        stop.set()
        asking.join()
    client.ask()
    resolver.stop(world)
    assert not lost and client.ttls == {33}
    assert world.link()[0] == link[0] and world.link()[1] != link[1]
    said = later.log.until("guarded: replaced in place")
    assert "another layout" in said and "a pause and limits set without --save are gone (dnsguard limit show)" in said
    counted = world.status()["verdicts"]
    assert 0 < counted["pass_clean"]["frames"] < client.asked // 2, "counted anew"


def test_an_upgrade_of_what_was_attached_by_hand_starts_and_says_what_to_do(world):
    """The configuration names no device: the daemon has none to replace, and the one there is goes on."""
    world.cli("attach", "guarded")
    link = world.link()
    other_layout(world)
    daemon = Daemon(world, config="interfaces: []\n").ready()
    daemon.log.until("warning: .*layout version 99, .* dnsguard attach each guarded device again")
    assert world.link() == link
    world.cli("attach", "guarded")
    assert world.link()[0] == link[0] and world.link()[1] != link[1]
    wait_for(lambda: daemon.get("/metrics")[1].count('interface="guarded"'))


def test_a_guard_of_another_layout_is_told_once_and_when_it_changes(world):
    """The daemon looks every few seconds, and whenever an address comes or goes."""
    world.cli("attach", "guarded")
    other_layout(world)
    daemon = Daemon(world, config="interfaces: []\n").ready()
    for version in (98, 97, 96):
        set_abi_version(world, version)
        world.inside.ip("addr", "add", f"192.0.2.{version}/24", "dev", "guarded")
        daemon.log.until(f"layout version {version},")
    told = [int(line.split("layout version ")[1].split(",")[0]) for line in daemon.log.seen if "layout version" in line]
    assert told == [99, 98, 97, 96]
