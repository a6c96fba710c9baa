"""Sources that are no lists: each is refused in one sentence with its place, and the old image stays."""

import gzip
import json
import zlib

import pytest

GOOD = b"".join(b"host%d.example\n" % number for number in range(50))
HTML = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"

# content, what the sentence says
BAD = {
    "nothing": (b"", "there are no names in it"),
    "comments only": (b"# nothing here\n# at all\n", "there are no names in it"),
    "blank lines": (b"\n\n  \n\t\n", "there are no names in it"),
    "an HTML page": (HTML, "feed0:1:1: an HTML or XML page, not a list of names"),
    "an HTML page behind blank lines and a mark": (b"\xef\xbb\xbf\n\n   <html>\n", "feed0:3:4: an HTML or XML page"),
    "an XML page": (b"<?xml version='1.0'?>\n", "an HTML or XML page"),
    "a packed HTML page": (gzip.compress(HTML), "feed0:1:1: an HTML or XML page"),
    "JSON": (b'{"error": "rate limited",\n "retry": 60\n}\n', "3 lines are no names, the first at feed0:1:"),
    "a zip archive": (b"PK\x03\x04" + bytes(range(256)), "a zip archive"),
    "an xz archive": (b"\xfd7zXZ\x00" + bytes(64), "an xz archive"),
    "a PDF": (b"%PDF-1.7\nstuff\n", "a PDF document"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "a picture"),
    "a program": (b"\x7fELF" + bytes(64), "a program"),
    "random octets": (bytes((number * 197 + 11) % 256 for number in range(4000)), "binary data, not a list of names"),
    "gzip cut short": (gzip.compress(GOOD)[:-30], "the gzip file is cut short"),
    "gzip without its end": (gzip.compress(GOOD)[:-4], "the gzip file is cut short"),
    "gzip with a wrong sum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "the gzip file is broken"),
    "gzip broken inside": (gzip.compress(GOOD)[:10] + b"\xff" * 60, "the gzip file is broken"),
    "gzip of nothing but a head": (b"\x1f\x8b\x08\0\0\0\0\0\0\3", "the gzip file is cut short"),
    "mostly no names": (b"a.example\n" + b"not a name\n" * 7, "7 lines are no names, the first at feed0:2:5"),
    "cosmetic rules only": (b"##.ad\na.example##.banner\n||b.example/x\n", "nothing in it can be blocked by name"),
    "one endless line": (b"a" * 300000, "1 lines are no names, the first at feed0:1:65537: more than 65536 octets"),
}


@pytest.mark.parametrize("case", BAD)
def test_is_refused_with_its_place(room, case):
    content, reason = BAD[case]
    report, sentence = room.refused(("one", content))
    assert reason in sentence
    assert report["image"] is None
    assert len(report["lists"][0]["problems"]) <= 5


@pytest.mark.parametrize("case", BAD)
def test_leaves_the_old_image(room, case):
    room.build(("one", GOOD))
    before = (room.path / "image").read_bytes()
    done = room.run("--key", "key", "-o", "image", "--json", *room.lists(("good", GOOD), ("bad", BAD[case][0])))
    assert done.returncode == 1 and BAD[case][1].replace("feed0", "feed1") in json.loads(done.stdout)["error"]
    assert (room.path / "image").read_bytes() == before
    assert sorted(path.name for path in room.path.iterdir()) == ["feed0", "feed1", "image", "key"]


def test_some_bad_lines_are_told_five_of_them(room):
    feed = GOOD + b"".join(b"bad %d\n" % number for number in range(9)) + b"a" * 70000 + b"\nlast.example\n"
    entry = room.check(("one", feed))["lists"][0]
    assert (entry["accepted"], entry["rejected"]) == (51, 10)
    assert [(problem["line"], problem["column"], problem["text"]) for problem in entry["problems"]] == [
        (51 + number, 5, "bad %d" % number) for number in range(5)]
    assert room.run("--check", "--strict", *room.lists(("one", feed))).returncode == 1


def test_what_is_shown_can_be_shown(room):
    entry = room.check(("one", GOOD + b"\x1b[31mred.example\nb\xff\xfed.example\n"))["lists"][0]
    shown = [problem["text"] for problem in entry["problems"]]
    assert shown == ["\\x1b[31mred.example", "b\\xff\\xfed.example"]


def test_a_file_that_is_not_there(room):
    done = room.run("--check", "nowhere")
    assert done.returncode == 1 and b"nowhere: cannot open it: No such file" in done.stderr
    (room.path / "dir").mkdir()
    done = room.run("--check", "dir")
    assert done.returncode == 1 and b"dir: cannot read it: Is a directory" in done.stderr


# ---- limits -----------------------------------------------------------------------------------------


def test_a_file_has_only_so_many_octets(room):
    _, sentence = room.refused(("one", GOOD), options=["--max-bytes", "300"], status=5)
    assert "more than the 300 octets that a file may have" in sentence
    assert room.check(("one", GOOD), options=["--max-bytes", len(GOOD)])["lists"][0]["accepted"] == 50


def test_a_small_file_does_not_unpack_into_a_large_one(room):
    bomb = gzip.compress(b"a.example\n" * 3000000, 9)
    assert len(bomb) < 100000
    _, sentence = room.refused(("one", bomb), options=["--max-bytes", "5000000"], status=5)
    assert "more than the 5000000 octets" in sentence


def test_a_file_has_only_so_many_lines(room):
    _, sentence = room.refused(("one", GOOD), options=["--max-lines", "49"], status=5)
    assert "feed0:50:1: more than the 49 lines" in sentence
    assert room.check(("one", GOOD), options=["--max-lines", "50"])["lists"][0]["accepted"] == 50


def test_an_image_that_does_not_fit_is_refused_with_numbers(room):
    needed = room.check(("one", GOOD))["memory"]["needed"]
    report, sentence = room.refused(("one", GOOD), options=["--memory", needed - 1], status=5)
    assert "image of 50 names needs %d bytes of kernel memory, %d are allowed" % (needed, needed - 1) in sentence
    assert report["memory"] == {"needed": needed, "allowed": needed - 1}
    assert room.check(("one", GOOD), options=["--memory", needed])["memory"]["needed"] == needed


def test_lines_may_end_anywhere_in_the_buffer(room):
    """Lines of every length around the places where the reader must move what is left."""
    lines = [b"%s.x%d.example" % (b"a" * (1 + number % 60), number) for number in range(120000)]
    for content in (b"\n".join(lines), gzip.compress(b"\n".join(lines) + b"\n", 1)):
        entry = room.check(("one", content))["lists"][0]
        assert (entry["lines"], entry["accepted"], entry["rejected"]) == (120000, 120000, 0)


def test_zlib_is_not_gzip(room):
    room.refused(("one", zlib.compress(GOOD)))


@pytest.mark.parametrize("octets", [1, 2])
def test_a_line_that_is_cut_inside_a_character_is_told_all_the_same(room, octets):
    """Controls are shown as four octets each: the text is cut there, and a report is UTF-8."""
    report = room.check(("l", GOOD + b"\x01" * 30 + b"-" * octets + b"\xc3\xa9" * 40 + b"\n"))
    (problem,) = report["lists"][0]["problems"]
    assert problem["line"] == 51 and problem["text"].startswith("\\x01")
