"""Which lists there are: added, shown, ordered, taken away; and what is refused before anything is touched."""

import json
import subprocess

import pytest

from house import FAILED, NOT_FOUND, OK, UNSAFE, USAGE, rights


def test_nothing_was_ever_added(room):
    assert room.lists() == []
    assert "dnsguard list add" in room.cli("list").stdout
    assert not (room.state / "lists").exists()  # looking makes nothing


def test_add_shows_what_was_taken(room):
    source = room.file("ads.txt", "# ads", "a.example", "b.example", "x.a.example", "a.example")
    report = room.json("list", "add", "ads", source)
    (row,) = report["lists"]
    assert (row["outcome"], row["accepted"], row["folded"], row["duplicate"]) == ("updated", 2, 1, 1)
    assert report["compiled"] and not report["attached"] and report["names"] == 2
    shown = room.list("ads")
    assert (shown["state"], shown["source"], shown["format"]) == ("fresh", str(source), "domains")
    assert room.dump("ads") == ["a.example", "b.example"]


def test_text_says_that_nothing_is_live_without_a_guard(room):
    said = room.cli("list", "add", "ads", room.file("a", "a.example")).stdout
    assert "not attached" in said and "memory needed" in said and "memory allowed" in said


def test_options_are_kept(room):
    room.cli("list", "add", "l", room.file("a", "a.example"), "--format", "domains", "--match", "exact", "--answer",
             "192.0.2.9,2001:db8::9", "--ede", "none", "--refresh", "6h", "--observe")
    shown = room.list("l")
    wanted = {"match": "exact", "answer": "192.0.2.9,2001:db8::9", "ede": None, "refresh_seconds": 21600, "observe": True}
    assert {key: shown[key] for key in wanted} == wanted


def test_order_is_precedence(room):
    for name in ("one", "two"):
        room.cli("list", "add", name, room.file(name, f"{name}.example"))
    room.cli("list", "add", "zero", room.file("zero", "zero.example"), "--first")
    assert [row["name"] for row in room.lists()] == ["zero", "one", "two"]
    assert room.list("one")["precedence"] == 2


def test_move_changes_precedence_at_once(room):
    room.cli("list", "add", "one", room.file("one", "x.example", "1.example"))
    room.cli("list", "add", "two", room.file("two", "x.example", "2.example"))
    before = room.tree()["image"]
    assert room.json("list", "move", "two", "1")["compiled"]
    assert [row["name"] for row in room.lists()] == ["two", "one"]
    assert room.tree()["image"] != before
    room.cli("list", "move", "two", "99")
    assert [row["name"] for row in room.lists()] == ["one", "two"]
    room.refused("list", "move", "two", "0", status=USAGE)
    room.refused("list", "move", "three", "1", status=NOT_FOUND)


def test_an_image_that_was_lost_is_made_again(room):
    room.cli("list", "add", "one", room.file("one", "x.example"))
    (room.state / "image").unlink()
    assert room.json("list", "update")["compiled"]
    assert "image" in room.tree()


def test_remove_takes_everything_away(room):
    room.cli("list", "add", "one", room.file("one", "one.example"))
    before = set(room.tree())
    room.cli("list", "add", "two", room.file("two", "two.example"))
    assert "lists/two/content" in room.tree()
    room.cli("list", "rm", "two")
    assert set(room.tree()) == before and not (room.state / "lists" / "two").exists()
    room.cli("list", "rm", "one")
    assert room.lists() == [] and "image" not in room.tree()


def test_a_list_that_is_not_there(room):
    room.cli("list", "add", "one", room.file("one", "one.example"))
    for verb in ("show", "rm", "dump", "diff", "update"):
        assert '"other"' in room.refused("list", verb, "other", status=NOT_FOUND)


def test_twice_the_same_name(room):
    room.cli("list", "add", "one", room.file("one", "one.example"))
    before = room.tree()
    assert "is there already" in room.refused("list", "add", "one", room.file("b", "b.example"), status=FAILED)
    assert room.tree() == before


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a/b", "a b", "a,b", "\u00e4", "a\n", "x" * 33, "operator",
                                  "registry.json", 'a"b'])
def test_names_that_are_no_names(room, name):
    source = room.file("a", "a.example")
    assert "list name" in room.refused("list", "add", "--", name, source, status=USAGE)
    assert room.tree() == {}


@pytest.mark.parametrize("source, word", [
    ("ftp://lists.example/x", "use a path, http://, https:// or axfr://"),
    ("https:///x", "has no host"),
    ("http://user:secret@lists.example/x", "for everybody to read: use https://"),
    ("https:/lists.example/x", "write https://lists.example/x"),
    ("http:lists.example/x", "write http://lists.example/x"),
    ("htps://lists.example/x", "write https://lists.example/x"),
    ("htttp://lists.example/x", "write http://lists.example/x"),
    ("xfr://192.0.2.1/zone.example", "write axfr://192.0.2.1/zone.example"),
    ("file:///etc/list", "write the path alone: /etc/list"),
    ("https://lists.example/a b", "printable ASCII"),
    ("axfr://192.0.2.1", "write axfr://"),
    ("axfr://primary.example/zone.example", "no address"),
    ("axfr://192.0.2.1:0/zone.example", "no address"),
    ("", "is empty"),
])
def test_sources_that_are_none(room, source, word):
    assert word in room.refused("list", "add", "l", source, status=USAGE)
    assert room.tree() == {}


def test_a_host_without_a_scheme(room):
    said = room.refused("list", "add", "l", "www.lists.example/x", status=FAILED)
    assert "No such file" in said and "for a URL write https://www.lists.example/x" in said
    assert "https://" not in room.refused("list", "add", "l", room.dir / "not-there.txt", status=FAILED)


def test_what_a_url_keeps_secret_is_not_shown(room):
    """Tokens stand in the user's place or in the query; the registry, which is root's, keeps them."""
    room.cli("list", "add", "l", "https://me:secret@lists.example:8443/x?key=secret&secret#secret", "--no-update")
    shown = "https://***@lists.example:8443/x?key=***&***"
    assert room.list("l")["source"] == shown and room.lists()[0]["source"] == shown
    for argv in (["list", "ls"], ["list", "show", "l"]):
        said = room.cli(*argv).stdout
        assert shown in said and "secret" not in said
    assert "me:secret@" in (room.state / "lists" / "registry.json").read_text()
    assert (room.state / "lists").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("option, value", [("--answer", "nonsense"), ("--ede", "14"), ("--refresh", "1m"), ("--format", "csv"),
                                           ("--match", "regex"), ("--tsig-file", "/etc/key")])
def test_options_that_are_wrong(room, option, value):
    room.refused("list", "add", "l", room.file("a", "a.example"), option, value, status=USAGE)
    assert room.tree() == {}


def test_no_update_only_notes_it_down(room):
    room.cli("list", "add", "later", room.dir / "not-there-yet", "--no-update")
    assert room.list("later")["state"] == "not fetched yet"
    room.file("not-there-yet", "a.example")
    room.cli("list", "update")
    assert room.dump("later") == ["a.example"]


def test_a_directory_is_a_list_of_its_files(room):
    source = room.dir / "feeds"
    source.mkdir()
    (source / "a").write_text("a.example\n")
    (source / "b").write_text("0.0.0.0 b.example\n")  # each file has its own format
    (source / ".hidden").write_text("hidden.example\n")
    (source / "b~").write_text("old.example\n")
    room.cli("list", "add", "feeds", source)
    assert room.dump("feeds") == ["a.example", "b.example"]
    (source / "c").write_text("c.example\n")
    (source / "a").unlink()
    room.cli("list", "update")
    assert room.dump("feeds") == ["b.example", "c.example"]
    assert sorted(p.name for p in (room.state / "lists" / "feeds").iterdir()) == ["content.d", "meta.json"]


def test_a_path_may_become_a_directory(room):
    source = room.file("feed", "a.example")
    room.cli("list", "add", "l", source)
    source.unlink()
    source.mkdir()
    (source / "x").write_text("x.example\n")
    room.cli("list", "update")
    assert room.dump("l") == ["x.example"]
    assert sorted(p.name for p in (room.state / "lists" / "l").iterdir()) == ["content.d", "meta.json"]


def test_unchanged_costs_nothing(room):
    room.cli("list", "add", "l", room.file("a", "a.example"))
    before = room.tree()["image"]
    report = room.json("list", "update")
    assert report["lists"][0]["outcome"] == "unchanged" and not report["compiled"]
    assert room.tree()["image"] == before


def test_diff_changes_nothing(room):
    source = room.file("a", "a.example", "b.example", "c.example")
    room.cli("list", "add", "l", source)
    before = room.tree()
    room.file("a", "b.example", "c.example", "d.example")
    said = room.cli("list", "diff", "l").stdout.splitlines()
    assert [line.split("\t")[0] for line in said[:-1]] == ["-a.example", "+d.example"]
    assert room.json("list", "diff", "l") == {"schema": 1, "list": "l", "added": 1, "removed": 1, "same": 2}
    assert room.tree() == before


def test_check_of_a_file(room):
    good = room.json("list", "check", room.file("good", "a.example"))
    assert good["verdict"] == "good" and good["list"]["accepted"] == 1
    assert room.tree() == {}


def test_a_registry_edited_badly_says_where(room):
    room.cli("list", "add", "l", room.file("a", "a.example"))
    registry = room.state / "lists" / "registry.json"
    text = registry.read_text()
    registry.write_text(text.replace('"lists": [', '"lists": [,', 1))
    assert f"{registry}:3:" in room.refused("list", "ls", status=FAILED)
    assert f"{registry}:3:" in room.refused("list", "update", status=FAILED)
    registry.write_text(text.replace('"suffix"', '"infix"'))
    assert '"infix"' in room.refused("list", "update", status=FAILED)
    assert (room.state / "lists" / "l" / "content").exists()  # nothing is swept away by a typing error


def test_what_others_may_read(room):
    room.cli("list", "add", "l", room.file("a", "a.example"))
    assert rights(room.state / "lists") == 0o700 and rights(room.state / "lists" / "l") == 0o700


def test_an_error_is_json_for_who_asked_for_json(room):
    said = json.loads(room.cli("list", "add", "x", "/not/there", "--json", status=FAILED).stdout)
    assert said["exit_status"] == FAILED and '"/not/there"' in said["error"]


def test_two_at_once_wait_for_each_other(room):
    import fcntl
    room.cli("list", "add", "l", room.file("a", "a.example"))
    with open(room.state / "lists" / ".lock", "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "changing the lists" in room.refused("list", "update", status=FAILED)
        assert room.list("l")["state"] == "fresh"  # readers do not wait


def test_a_spoilt_state_of_one_list_says_what_to_do(room):
    room.cli("list", "add", "l", room.file("a", "a.example"))
    (room.state / "lists" / "l" / "meta.json").write_text("{")
    assert "l/meta.json:1:1: " in (said := room.refused("list", "update", status=FAILED)) and "add it again" in said
    room.cli("list", "rm", "l")
    room.cli("list", "add", "l", room.dir / "a")


def test_a_dump_for_programs(room):
    zone = room.file("zone", "$TTL 60", "@ SOA localhost. root.localhost. 1 60 60 60 60", "a.example CNAME .", "*.b.example CNAME *.",
                     "x\\034\\092.example CNAME rpz-passthru.")
    room.cli("list", "add", "l", zone)
    document = room.json("list", "dump", "l")
    assert document == {"schema": 1, "list": "l", "names": [
        {"name": "a.example", "scope": "self", "answer": "nxdomain"}, {"name": "b.example", "scope": "below", "answer": "nodata"},
        {"name": "x\\034\\092.example", "scope": "self", "answer": "allow"}]}
    rows = [tuple(line.split("\t")) for line in room.cli("list", "dump", "l").stdout.splitlines()]
    assert rows == [(row["name"], row["scope"], row["answer"]) for row in document["names"]]


def test_a_reader_who_has_enough(room):
    room.cli("list", "add", "l", room.file("l", *(f"n{i}.example" for i in range(100000))))
    argv = " ".join(room.argv("list", "dump", "l"))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {argv} | head -1"], text=True, capture_output=True)
    assert (done.returncode, done.stderr, done.stdout) == (OK, "", "n0.example\tsuffix\tnxdomain\n")


def test_a_directory_is_checked_as_a_whole(room):
    folder = room.dir / "d"
    folder.mkdir()
    assert "holds no file" in room.json("list", "check", folder, status=UNSAFE)["verdict"]
    assert "holds no file" in room.refused("list", "add", "empty", folder, status=UNSAFE)
    (folder / "one").write_text("a.example\n")
    (folder / "two").write_text("||b.example^\n||c.example^\nno name\n")
    (folder / ".hidden").write_text("<html>")
    report = room.json("list", "check", folder)
    assert report["verdict"] == "good" and report["list"]["accepted"] == 3
    assert report["list"]["format"] == "mixed" and report["list"]["unsupported"] == 1
    (folder / "three").write_text("<html>")
    assert "HTML" in room.json("list", "check", folder, status=FAILED)["verdict"]
