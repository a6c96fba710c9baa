"""dnsguard-compile as a process: what it takes, what it refuses, what it reports, and what it gives up first."""

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

COMPILE = Path(os.environ.get("DG_BUILD", "build")) / "dnsguard-compile"
KEY = bytes(range(32))
HEADER = struct.Struct("<QQQQQQIIII")  # struct dg_image_header
FILE_HEAD_BYTES = 64


@pytest.fixture
def room(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    return tmp_path


def run(room, *arguments, feed=None, stdin=b""):
    if feed is not None:
        (room / "feed").write_bytes(feed)
        arguments += (str(room / "feed"),)
    command = [str(COMPILE), "--key", str(room / "key"), "-o", str(room / "image"), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60)


def report(result):
    assert result.returncode == 0, result.stderr.decode()
    return json.loads(result.stdout)


def header(room):
    content = (room / "image").read_bytes()
    fields = HEADER.unpack_from(content, FILE_HEAD_BYTES)
    names = ("magic", "names", "generation", "key_check", "depths_low", "depths_high", "buckets", "first", "lists")
    return dict(zip(names, fields))


def test_tolerates_what_feeds_have(room):
    feed = b"\xef\xbb\xbf# a list\r\na.example\r\n\r\n\tb.example  # why\r\n*.c.example.\r\nD.EXAMPLE"
    got = report(run(room, "--json", feed=feed))
    assert got["schema"] == 1
    assert got["lists"][0]["accepted"] == 4
    assert got["lists"][0]["rejected"] == 0
    assert header(room)["names"] == 4
    assert header(room)["depths_low"] == 0b10  # two labels each


def test_duplicates_and_names_below_are_left_out(room):
    feed = b"x.a.example\na.example\nA.example\ny.x.a.example\nb.example\n"
    counts = report(run(room, "--json", feed=feed))["lists"][0]
    assert (counts["accepted"], counts["duplicate"], counts["folded"]) == (2, 1, 2)
    assert header(room)["names"] == 2


def test_a_pipe_is_folded_as_well(room):
    counts = report(run(room, "--json", "-", stdin=b"x.a.example\na.example\n"))["lists"][0]
    assert (counts["accepted"], counts["folded"]) == (1, 1)


def test_the_list_in_front_decides_for_what_is_below(room):
    """a is blocked by the first list, so the second has no say about x.a, and y.x.a need not be there either."""
    (room / "one").write_bytes(b"a.example\ny.x.a.example\n")
    (room / "two").write_bytes(b"x.a.example\nb.example\n")
    lists = report(run(room, "--json", "--list", "one", str(room / "one"), "--list", "two,answer=allow",
                       str(room / "two")))["lists"]
    assert [entry["name"] for entry in lists] == ["one", "two"]
    assert [entry["accepted"] for entry in lists] == [1, 1]
    assert [entry["folded"] for entry in lists] == [1, 0]
    assert [entry["shadowed"] for entry in lists] == [0, 1]


def test_problems_have_their_place(room):
    feed = b"a.example\n  com\nb.example c.example\nm\xc3.de\nn\0.de\n-.x\n" + b"ok%d.example\n" * 9
    feed = feed.replace(b"%d", b"1", 1)
    counts = report(run(room, "--json", feed=feed.replace(b"%d", b"2")))["lists"][0]
    places = [(p["line"], p["column"]) for p in counts["problems"]]
    assert places == [(2, 3), (3, 11), (4, 1), (5, 2)]
    assert "single label" in counts["problems"][0]["reason"]
    assert "no A-label form: string encoding error" in counts["problems"][2]["reason"]
    assert counts["rejected"] == 4


def test_only_five_problems_are_told_all_are_counted(room):
    feed = b"".join(b"n%d.example\n" % i for i in range(20)) + b"bad..name\n" * 7
    result = run(room, feed=feed)
    assert result.returncode == 0
    assert len(result.stderr.splitlines()) == 5
    assert b"feed:21:1: name \"bad..name\"" in result.stderr.splitlines()[0]
    assert b"7 rejected" in result.stdout


@pytest.mark.parametrize("feed, reason", [
    (b"<!DOCTYPE html>\n<p>gone</p>\n", b"HTML"),
    (b"  <?xml?>\n", b"HTML"),
    (b"good.example\nbad..a\nbad..b\n", b"2 lines are no names"),
], ids=["html", "xml", "mostly not names"])
def test_a_bad_feed_leaves_the_old_image(room, feed, reason):
    run(room, feed=b"a.example\n")
    before = (room / "image").read_bytes()
    result = run(room, feed=feed)
    assert result.returncode == 1
    assert reason in result.stderr
    assert (room / "image").read_bytes() == before
    assert sorted(p.name for p in room.iterdir()) == ["feed", "image", "key"]


def test_strict_refuses_one_bad_line(room):
    feed = b"a.example\nb.example\nbad..name\n"
    assert run(room, feed=feed).returncode == 0
    assert run(room, "--strict", feed=feed).returncode == 1


def test_force_lists_what_is_unsafe_but_never_the_root(room):
    feed = b"com\nlocalhost\n.\nx.example\n"
    counts = report(run(room, "--json", "--force", feed=feed))["lists"][0]
    assert (counts["accepted"], counts["rejected"]) == (3, 1)
    assert "root" in counts["problems"][0]["reason"]


def test_a_key_in_hexadecimal_is_the_same_key(room):
    run(room, feed=b"a.example\n")
    raw = header(room)["key_check"]
    (room / "key").write_text(KEY.hex() + "\n")
    run(room, feed=b"a.example\n")
    assert header(room)["key_check"] == raw
    (room / "key").write_bytes(bytes(32))
    run(room, feed=b"a.example\n")
    assert header(room)["key_check"] != raw


@pytest.mark.parametrize("key", [b"", b"short", KEY + b"x", b"g" * 64])
def test_other_keys_are_refused(room, key):
    (room / "key").write_bytes(key)
    result = run(room, feed=b"a.example\n")
    assert result.returncode == 1
    assert b"32 octets" in result.stderr


@pytest.mark.parametrize("arguments, reason", [
    (("--list", "x,answer=what"), b'"what"'),
    (("--list", "x,ede=99"), b'"99"'),
    (("--list", "x,colour=red"), b'"colour=red"'),
    (("--list", "two words"), b'"two words"'),
    (("--list", "n" * 33), b"1 to 32"),
    (("--what",), b"--help"),
    ((), b"a file of names"),
])
def test_usage_quotes_what_is_wrong(room, arguments, reason):
    result = run(room, *arguments)
    assert result.returncode == 2
    assert reason in result.stderr
    assert not (room / "image").exists()


def test_gives_up_privileges_before_the_first_byte(room):
    command = [str(COMPILE), "--key", str(room / "key"), "-o", str(room / "image"), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        # More than a pipe holds: once this is written, the process has begun to read.
        child.stdin.write(b"a.example\n" * 20000)
        child.stdin.flush()
        status = Path(f"/proc/{child.pid}/status").read_text()
        child.stdin.close()
        assert child.wait(60) == 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["NoNewPrivs"].strip() == "1"
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["CapPrm"], 16) == 0
    assert fields["Seccomp"].strip() == "2", "a filter on system calls"
