"""kill -9 at random points of the pipeline: image and contents are the old ones or the new ones, never half of either."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from house import NOT_ATTACHED, PATIENCE

CUTS = 50
NAMES = 3000


def names(turn):
    return [f"turn{turn}-{i}.example" for i in range(NAMES)]


class Dice:
    """Moments that fall all over an update, however busy the machine is just now."""

    def __init__(self, room, seed):
        self.random, self.cuts = random.Random(seed), 0
        began = time.monotonic()
        room.cli("list", "update")
        self.span = time.monotonic() - began

    def cut(self, argv, earliest=0.0):
        """Kills it somewhere; what was over before that was shorter than thought, and the next cuts come sooner."""
        if cut(argv, self.random.uniform(earliest * self.span, self.span)):
            self.cuts += 1
            self.span *= 1.05
        else:
            self.span *= 0.85


def cut(argv, after):
    """Starts a command and kills it, and with it its children, after so many seconds."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        return True


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


@pytest.mark.parametrize("seed", [1])
def test_cuts_without_a_guard(room, seed):
    room.file("feed", *names(0))
    room.cli("list", "add", "l", room.dir / "feed")
    room.file("feed", *names(1))
    dice = Dice(room, seed)
    last = 1
    for turn in range(2, CUTS + 2):
        room.file("feed", *names(turn))
        dice.cut(room.argv("list", "update"))
        whole(room, {last, turn})
        image_is_whole(room)
        room.cli("list", "update")  # the next run mends whatever is to be mended
        assert whole(room, {turn}) == turn
        leftovers = {p.name for p in (room.state / "lists" / "l").iterdir()} | {p.name for p in (room.state / "lists").iterdir()}
        assert leftovers == {"content", "meta.json", "l", "registry.json", "compiled.json", ".lock"}
        last = turn
    assert dice.cuts > CUTS / 2  # else nothing was tested


@pytest.mark.parametrize("seed", [2])
def test_cuts_with_a_guard(guard, seed):
    """The kernel holds one of the two images at every moment, and all of it."""
    guard.file("feed", *names(0))
    guard.cli("list", "add", "l", guard.dir / "feed")
    guard.file("feed", *names(1))
    dice = Dice(guard, seed)
    last = 1
    for turn in range(2, 17):
        guard.file("feed", *names(turn))
        dice.cut(guard.argv("list", "update"), earliest=1 / 3)
        live = {t for t in (last, turn) if guard.decided(f"turn{t}-0.example")[0] == "reply_sinkhole"}
        assert len(live) == 1
        assert guard.decided(f"turn{live.pop()}-{NAMES - 1}.example")[0] == "reply_sinkhole"
        assert guard.json("status")["names"]["listed"] == NAMES
        whole(guard, {last, turn})
        guard.cli("list", "update")
        assert guard.decided(f"turn{turn}-1.example") == ("reply_sinkhole", "l")
        assert guard.decided(f"turn{last}-1.example") == ("pass_clean", None)
        last = turn
    assert dice.cuts > 5


@pytest.mark.parametrize("seed", [3])
def test_cuts_of_add_and_rm(room, seed):
    """A list is there with all that goes with it, or it is not there."""
    dice = random.Random(seed)
    room.cli("list", "add", "base", room.file("base", "base.example"))
    source = room.file("feed", *names(0))
    began = time.monotonic()
    room.cli("list", "add", "l", source)
    span = time.monotonic() - began
    for turn in range(20):
        there = [row["name"] for row in room.lists()] == ["base", "l"]
        cut(room.argv(*(("list", "rm", "l") if there else ("list", "add", "l", source))), dice.uniform(0, span))
        rows = {row["name"]: row for row in room.lists()}
        if "l" in rows:
            assert rows["l"]["accepted"] == NAMES and len(room.dump("l")) == NAMES
        room.cli("list", "update")
        assert {p.name for p in (room.state / "lists").iterdir() if p.is_dir()} == set(rows)


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
