"""kill -9 all over the pipeline: image and contents are the old ones or the new ones, never half of either."""

import ctypes
import json
import os
import platform
import signal
import struct
import subprocess

from house import NOT_ATTACHED

CUTS, GUARDED_CUTS = 50, 15
NAMES = 3000


def names(turn):
    return [f"turn{turn}-{i}.example" for i in range(NAMES)]


# ---- the knife ------------------------------------------------------------------------------------

PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, PTRACE_GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
SYSGOOD, EXITKILL, INFO_ENTRY = 1, 0x100000, 1
WAITING = {"x86_64": {0, 7, 271}, "aarch64": {63, 73}}[platform.machine()]  # read, poll, ppoll: as often as a helper says something
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def trace(request, pid=0, data=0):
    if libc.ptrace(request, pid, None, data):
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def call_entered(pid):
    """The number of the system call in whose entry the process stands; None in an exit, which does not tell."""
    info = ctypes.create_string_buffer(88)
    if libc.ptrace(PTRACE_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info)) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return struct.unpack_from("Q", info, 24)[0] if info.raw[0] == INFO_ENTRY else None


def steps(argv, most=None):
    """Runs a command, and kills it when it has entered or left the kernel so many times; returns (how often, killed).

    What it has done by then does not depend on how busy the machine is: looking for news of a helper does not count. Its
    children, which are not followed, die of it.
    """
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               preexec_fn=lambda: trace(PTRACE_TRACEME))
    count, deliver, call = 0, 0, None
    _, status = os.waitpid(process.pid, 0)  # stopped behind its exec
    trace(PTRACE_SETOPTIONS, process.pid, SYSGOOD | EXITKILL)
    while os.WIFSTOPPED(status) and count != most:
        trace(PTRACE_SYSCALL, process.pid, deliver)
        _, status = os.waitpid(process.pid, 0)
        stopped = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        if stopped == signal.SIGTRAP | 0x80:
            entered = call_entered(process.pid)
            call = call if entered is None else entered
            count += call not in WAITING
        deliver = stopped if stopped not in (0, signal.SIGTRAP, signal.SIGTRAP | 0x80) else 0
    killed = os.WIFSTOPPED(status)
    if killed:
        os.kill(process.pid, signal.SIGKILL)
        _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return count, killed


class Knife:
    """Cuts that lie evenly all over a command, which is run whole once to know how long it is."""

    def __init__(self, argv, cuts, earliest=0.0):
        self.whole, killed = steps(argv)
        assert not killed and self.whole > 100
        self.at = [int(self.whole * (earliest + (1 - earliest) * (i + 0.5) / cuts)) for i in range(cuts)]
        self.made = 0

    def cut(self, argv):
        self.made += steps(argv, self.at.pop(0))[1]


def whole(room, expected):
    """Registry, metadata and content as they lie there, without any run in between: one of the turns expected."""
    (spec,) = json.loads((room.state / "lists" / "registry.json").read_text())["lists"]
    assert spec["name"] == "l"
    content = (room.state / "lists" / "l" / "content").read_text().split()
    turn = int(content[0].removeprefix("turn").split("-")[0])
    assert turn in expected and content == names(turn)
    meta = json.loads((room.state / "lists" / "l" / "meta.json").read_text())
    assert meta["accepted"] == NAMES
    return turn


def image_is_whole(room):
    """The kept image as its reader judges it: size, SHA-256, structure. Only then it asks for a guard to give it to."""
    room.refused("image", "load", room.state / "image", status=NOT_ATTACHED)


def test_cuts_without_a_guard(room):
    room.file("feed", *names(0))
    room.cli("list", "add", "l", room.dir / "feed")
    room.file("feed", *names(1))
    knife = Knife(room.argv("list", "update"), CUTS)
    last = 1
    for turn in range(2, CUTS + 2):
        room.file("feed", *names(turn))
        knife.cut(room.argv("list", "update"))
        whole(room, {last, turn})
        image_is_whole(room)
        room.cli("list", "update")  # the next run mends whatever is to be mended
        assert whole(room, {turn}) == turn
        leftovers = {p.name for p in (room.state / "lists" / "l").iterdir()} | {p.name for p in (room.state / "lists").iterdir()}
        assert leftovers == {"content", "meta.json", "l", "registry.json", "compiled.json", ".lock"}
        last = turn
    assert knife.made >= CUTS * 0.9


def test_cuts_with_a_guard(guard):
    """The kernel holds one of the two images at every moment, and all of it."""
    guard.file("feed", *names(0))
    guard.cli("list", "add", "l", guard.dir / "feed")
    guard.file("feed", *names(1))
    knife = Knife(guard.argv("list", "update"), GUARDED_CUTS, earliest=1 / 3)
    last = 1
    for turn in range(2, GUARDED_CUTS + 2):
        guard.file("feed", *names(turn))
        knife.cut(guard.argv("list", "update"))
        live = {t for t in (last, turn) if guard.decided(f"turn{t}-0.example")[0] == "reply_sinkhole"}
        assert len(live) == 1
        assert guard.decided(f"turn{live.pop()}-{NAMES - 1}.example")[0] == "reply_sinkhole"
        assert guard.json("status")["names"]["listed"] == NAMES
        whole(guard, {last, turn})
        guard.cli("list", "update")
        assert guard.decided(f"turn{turn}-1.example") == ("reply_sinkhole", "l")
        assert guard.decided(f"turn{last}-1.example") == ("pass_clean", None)
        last = turn
    assert knife.made >= GUARDED_CUTS * 0.8


def test_cuts_of_add_and_rm(room):
    """A list is there with all that goes with it, or it is not there."""
    room.cli("list", "add", "base", room.file("base", "base.example"))
    source = room.file("feed", *names(0))
    add, rm = room.argv("list", "add", "l", source), room.argv("list", "rm", "l")
    knives = {False: Knife(add, 10), True: Knife(rm, 10)}
    while all(knife.at for knife in knives.values()):
        there = [row["name"] for row in room.lists()] == ["base", "l"]
        knives[there].cut(rm if there else add)
        rows = {row["name"]: row for row in room.lists()}
        if "l" in rows:
            assert rows["l"]["accepted"] == NAMES and len(room.dump("l")) == NAMES
        room.cli("list", "update")
        assert {p.name for p in (room.state / "lists").iterdir() if p.is_dir()} == set(rows)
        if there != ("l" in rows):
            continue
        room.cli(*(("list", "rm", "l") if there else ("list", "add", "l", source)))  # the other way round, next time
    assert sum(knife.made for knife in knives.values()) >= 8


def test_a_run_that_died_between_the_renames(room):
    """The one moment that chance hardly hits: the content is new, the metadata is still old."""
    room.file("feed", *names(0))
    room.cli("list", "add", "l", room.dir / "feed")
    folder = room.state / "lists" / "l"
    old = {name: (folder / name).read_bytes() for name in ("meta.json", "content")}
    image = (room.state / "image").read_bytes()
    room.file("feed", *names(1)[:2000])
    room.cli("list", "update")
    os.rename(folder / "meta.json", folder / "candidate.json")
    (folder / "meta.json").write_bytes(old["meta.json"])
    (room.state / "image").write_bytes(image)
    report = room.json("list", "update")
    assert room.list("l")["accepted"] == 2000 and not (folder / "candidate.json").exists()
    assert report["lists"][0]["outcome"] == "unchanged"
