"""What is no list is refused, with its place and its first bad lines; what was there before stays, and is said to be stale."""

import gzip
import json
import os
import shutil
import subprocess

import pytest

from house import BUILD, CLI, FAILED, NOT_FOUND, OK, PATIENCE, UNSAFE

GOOD = [f"name{i}.example" for i in range(100)]
PAGE = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>not found</body></html>\n"

# A feed gone bad: what it holds now, the exit status, and what is said of it.
BAD = {
    "empty": (b"", FAILED, "no names in it"),
    "comments only": (b"# nothing\n! here\n", FAILED, "no names in it"),
    "an HTML page": (PAGE.encode(), FAILED, ":1:1: an HTML or XML page"),
    "an HTML page behind blank lines": (b"\n\n  " + PAGE.encode(), FAILED, "HTML"),
    "binary": (bytes(range(256)) * 20, FAILED, "binary data"),
    "a gzip file cut short": (gzip.compress("\n".join(f"n{i * 7919}.example" for i in range(3000)).encode())[:4000], FAILED,
                              "gzip file is cut short"),
    "mostly no names": (b"???\n" * 60 + b"a.example\n", FAILED, ":1:1: "),
    "shrunk": (("\n".join(GOOD[:49]) + "\n").encode(), UNSAFE, "49 names of 100 are left, it lost more than half"),
}


@pytest.fixture
def loaded(room):
    room.source = room.file("feed", *GOOD)
    room.cli("list", "add", "feed", room.source)
    return room


@pytest.mark.parametrize("kind", BAD)
def test_a_feed_gone_bad_keeps_what_was_there(loaded, kind):
    content, status, word = BAD[kind]
    before = loaded.tree()
    loaded.source.write_bytes(content)
    report = loaded.json("list", "update", status=status)
    (row,) = report["lists"]
    assert row["outcome"] == "stale" and word in row["error"] and row["exit_status"] == status
    assert "/dev/fd" not in row["error"]
    after = loaded.tree()
    assert {name for name in before if before[name] != after[name]} == {"lists/feed/meta.json"}
    assert before.keys() == after.keys()
    assert len(loaded.dump("feed")) == 100


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "shrunk"])
def test_a_bad_feed_is_not_added(room, kind):
    content, status, word = BAD[kind]
    source = room.dir / "feed"
    source.write_bytes(content)
    assert word in room.refused("list", "add", "feed", source, status=status)
    assert room.tree() == {} and not (room.state / "lists" / "feed").exists()


def test_the_first_five_bad_lines_are_told(room):
    source = room.file("feed", "good.example", *(f"bad{i}!" for i in range(9)))
    said = room.refused("list", "add", "feed", source, status=FAILED)
    assert [f"{source}:{line}:" in said for line in range(2, 8)] == [True] * 5 + [False]
    problems = room.json("list", "check", source, status=FAILED)["list"]["problems"]
    assert [(p["file"], p["line"], p["column"], p["text"]) for p in problems] == [
        (str(source), 2 + i, 1, f"bad{i}!") for i in range(5)]


def test_a_source_that_is_gone(loaded):
    loaded.source.unlink()
    (row,) = loaded.json("list", "update", status=FAILED)["lists"]
    assert "No such file" in row["error"] and row["outcome"] == "stale"


def test_stale_since_the_first_failure_until_the_next_success(loaded):
    loaded.source.write_text(PAGE)
    loaded.cli("list", "update", status=FAILED)
    first = loaded.list("feed")
    assert first["state"] == "stale" and first["stale_since"] >= first["fetched"] and "HTML" in first["error"]
    loaded.cli("list", "update", status=FAILED)
    second = loaded.list("feed")
    assert (second["stale_since"], second["failures"]) == (first["stale_since"], 2)
    assert "stale" in loaded.cli("list", "ls").stdout
    loaded.file("feed", *GOOD)
    loaded.cli("list", "update")
    third = loaded.list("feed")
    assert (third["state"], third["stale_since"], third["error"], third["failures"]) == ("fresh", None, "", 0)


def test_one_bad_list_does_not_hold_up_the_others(loaded):
    other = loaded.file("other", "o.example")
    loaded.cli("list", "add", "other", other)
    loaded.source.write_text(PAGE)
    loaded.file("other", "o.example", "p.example")
    report = loaded.json("list", "update", status=FAILED)
    assert [row["outcome"] for row in report["lists"]] == ["stale", "updated"]
    assert report["compiled"] and report["names"] == 102
    assert loaded.dump("other") == ["o.example", "p.example"]


def test_one_list_too_large_does_not_hold_up_the_others(loaded):
    """What is good by itself and too much for all together is refused as well."""
    loaded.cli("list", "add", "other", loaded.file("other", "o.example"))
    loaded.file("feed", *(f"n{i}.example" for i in range(20000)))
    loaded.file("other", "o.example", "p.example")
    report = loaded.json("list", "update", "--memory", "1M", status=UNSAFE)
    assert [row["outcome"] for row in report["lists"]] == ["stale", "updated"]
    assert report["compiled"] and report["names"] == 102
    assert (loaded.list("feed")["state"], loaded.list("other")["state"]) == ("stale", "fresh")
    assert loaded.dump("other") == ["o.example", "p.example"] and len(loaded.dump("feed")) == 100


def test_exactly_half_is_not_too_little(loaded):
    loaded.file("feed", *GOOD[:50])
    loaded.cli("list", "update")
    assert len(loaded.dump("feed")) == 50


ZONE = "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n NS localhost.\n"
SENDER = "32.7.100.51.198.rpz-client-ip CNAME rpz-drop.\n"


@pytest.mark.parametrize("left", [0, 49])
def test_a_sender_does_not_stand_for_the_names_that_are_lost(room, left):
    source = room.dir / "zone"
    source.write_text(ZONE + SENDER + "".join(f"n{i}.example CNAME .\n" for i in range(100)))
    room.cli("list", "add", "zone", source, "--format", "rpz")
    source.write_text(ZONE + SENDER + "".join(f"n{i}.example CNAME .\n" for i in range(left)))
    (row,) = room.json("list", "update", status=UNSAFE)["lists"]
    assert row["outcome"] == "stale" and row["accepted"] == 100


@pytest.mark.parametrize("policy", [ZONE + "".join(f"{name} CNAME rpz-passthru.\n" for name in GOOD),
                                    "\n".join(f"@@||{name}^" for name in GOOD)], ids=["rpz", "adblock"])
def test_a_feed_of_names_does_not_make_itself_a_policy(loaded, policy):
    """It was there to block: now it would redirect, or let pass what other lists block."""
    loaded.source.write_text(policy)
    (row,) = loaded.json("list", "update", status=UNSAFE)["lists"]
    assert row["outcome"] == "stale" and "its format was domains and is " in row["error"] and row["format"] == "domains"
    loaded.cli("list", "update", "--force")
    loaded.cli("list", "update")


def test_another_way_to_write_names_is_no_matter(loaded):
    loaded.file("feed", *(f"0.0.0.0 {name}" for name in GOOD))
    loaded.cli("list", "update")
    assert loaded.list("feed")["format"] == "hosts"


def test_a_zone_that_speaks_of_senders_alone(room):
    source = room.dir / "zone"
    source.write_text(ZONE + SENDER)
    room.cli("list", "add", "zone", source, "--format", "rpz")
    source.write_text(ZONE + SENDER * 2)
    room.cli("list", "update")


@pytest.mark.parametrize("left", [0, 1, 49])
def test_force_takes_what_shrank(loaded, left):
    loaded.file("feed", *GOOD[:left])
    loaded.cli("list", "update", status=UNSAFE if left else FAILED)
    report = loaded.json("list", "update", "--force")
    assert report["lists"][0]["outcome"] == "updated" and report["names"] == left
    assert loaded.list("feed")["accepted"] == left


def test_force_does_not_take_what_is_no_list(loaded):
    loaded.source.write_text(PAGE)
    loaded.cli("list", "update", "--force", status=FAILED)
    assert len(loaded.dump("feed")) == 100


def test_larger_than_allowed_is_refused_before_it_is_read(room):
    source = room.dir / "huge"
    with open(source, "w") as file:
        os.truncate(file.fileno(), 2 << 30)
    assert "is larger than 1024 MiB" in room.refused("list", "add", "huge", source, status=UNSAFE)
    assert room.tree() == {}


def test_a_line_without_end(room):
    source = room.file("long", "a.example", "x" * (8 << 20), "b.example")
    done = room.cli("list", "check", source, status=OK)  # one bad line of three
    assert "\n   2 " in done.stdout


def test_memory_is_asked_for_before_anything_is_loaded(loaded):
    before = loaded.tree()
    loaded.file("feed", *(f"n{i}.example" for i in range(20000)))
    (row,) = loaded.json("list", "update", "--memory", "1M", status=UNSAFE)["lists"]
    assert "20000 names need up to 2 MiB" in row["error"] and "1 MiB are allowed" in row["error"]
    assert loaded.list("feed")["state"] == "stale"
    after = loaded.tree()
    assert {name for name in before if before[name] != after[name]} == {"lists/feed/meta.json"}
    report = loaded.json("list", "update", "--memory", "3M")
    assert report["memory"] == {"needed": 20000 * 100, "allowed": 3 << 20}


def test_protected_names_are_left_out(room):
    source = room.file("feed", "com", "localhost", "co.uk", "fine.example", "also.example", "third.example", "4th.example")
    (row,) = room.json("list", "add", "feed", source)["lists"]
    assert (row["accepted"], row["protected"]) == (4, 3)
    assert [p["line"] for p in row["problems"]] == [1, 2, 3]


def test_the_operators_own_protected_names(room):
    (room.state / "protected").write_text("# ours\nbank.example\n")
    source = room.file("feed", "www.bank.example", "bank.example", "a.example", "b.example", "c.example")
    (row,) = room.json("list", "add", "feed", source)["lists"]
    assert (row["accepted"], row["protected"]) == (3, 2)
    os.chmod(room.state / "protected", 0o600)
    assert "chmod o+r" in room.refused("list", "update", status=FAILED)


def test_a_source_that_is_no_file(room):
    source = room.dir / "pipe"
    os.mkfifo(source)
    assert "neither a file nor a directory" in room.refused("list", "add", "l", source, status=FAILED)
    room.refused("list", "check", room.dir / "no", status=NOT_FOUND)


def test_the_name_of_a_file_does_not_reach_the_terminal(room):
    feeds = room.dir / "feeds"
    feeds.mkdir()
    (feeds / "bad\x1b[2J").write_bytes(bytes(range(256)) * 20)
    said = room.refused("list", "add", "feeds", feeds, status=FAILED)
    assert "\x1b" not in said and "\\x1b[2J" in said and "binary data" in said


def test_a_file_that_only_its_owner_may_read_can_be_checked(room):
    source = room.file("feed", *GOOD)
    source.chmod(0o600)
    assert room.json("list", "check", source)["list"]["accepted"] == 100


def test_a_full_disk_does_not_hide_the_first_reason(room):
    """The list is stale for one reason, and that this cannot be noted down is another."""
    room.cli("list", "add", "l", room.file("l", *GOOD))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", room.state], check=True)
    try:
        room.cli("list", "add", "l", room.dir / "l")
        (room.dir / "l").unlink()
        with open(room.state / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
            while True:
                ballast.write(bytes(4096))
        said = room.cli("list", "update", status=FAILED).stderr
        assert "No space left" in said and "before that: source " in said and "No such file" in said
    finally:
        subprocess.run(["umount", room.state], check=True)


FAILING = """#!/usr/bin/python3
import os, sys
if "--check" in sys.argv:
    os.execv(%r, sys.argv)
open(%r, "a").write("compiled\\n")
sys.exit("dnsguard-compile: out of luck")
"""


def test_what_does_not_compile_is_not_tried_for_ever(room):
    """Once with all that is new, once without the list that grew most; with the old ones alone there is nothing to do."""
    room.dir.chmod(0o755)
    sources = [room.file(f"l{i}", *GOOD) for i in range(6)]
    for i, source in enumerate(sources):
        room.cli("list", "add", f"l{i}", source)
    for i, source in enumerate(sources):
        room.file(source.name, *GOOD, *(f"new{n}.l{i}.example" for n in range(i + 1)))
    count = room.dir / "count"
    count.touch()
    count.chmod(0o666)
    shutil.copy(CLI, room.dir / "dnsguard")
    helper = room.dir / "dnsguard-compile"
    helper.write_text(FAILING % (str(BUILD / "dnsguard-compile"), str(count)))
    helper.chmod(0o755)
    argv = [str(room.dir / "dnsguard") if word == str(CLI) else word for word in room.argv("list", "update", "--json")]
    done = subprocess.run(argv, text=True, capture_output=True, timeout=PATIENCE)
    rows = json.loads(done.stdout)["lists"]
    assert done.returncode == FAILED and {row["outcome"] for row in rows} == {"stale"}
    assert all("out of luck" in row["error"] for row in rows)
    assert len(count.read_text().split()) == 2
    assert len(room.dump("l5")) == len(GOOD)
