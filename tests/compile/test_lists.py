"""Several lists in one image: who decides, what is left out, what is counted, what is never blocked."""

import json
import os
import random
import re
import time

import pytest

NX = "nxdomain"


def counts(report, *keys):
    return [tuple(entry[key] for key in keys) for entry in report["lists"]]


# ---- precedence and folding ------------------------------------------------------------------------


def test_the_higher_list_keeps_a_name_that_both_have(room):
    given = [("one,answer=refused", "a.example\n"), ("two", "a.example\nb.example\n")]
    assert room.dump(*given) == [("a.example", "suffix", "refused"), ("b.example", "suffix", NX)]
    assert counts(room.check(*given), "accepted", "shadowed", "duplicate") == [(1, 0, 0), (1, 1, 0)]


def test_names_below_one_of_a_higher_list_disappear(room):
    given = [("one", "a.example\n"), ("two,answer=allow", "x.a.example\ny.x.a.example\nb.example\n")]
    assert room.dump(*given) == [("a.example", "suffix", NX), ("b.example", "suffix", "allow")]
    assert counts(room.check(*given), "accepted", "shadowed", "folded") == [(1, 0, 0), (1, 2, 0)]


def test_names_above_one_of_a_higher_list_stay(room):
    given = [("one,answer=allow", "x.a.example\n"), ("two", "a.example\nz.x.a.example\n")]
    assert room.dump(*given) == [("a.example", "suffix", NX), ("x.a.example", "suffix", "allow")]
    assert counts(room.check(*given), "accepted", "shadowed") == [(1, 0), (1, 1)]


def test_the_same_list_folds_only_what_says_the_same(room):
    rpz = "".join("%s CNAME %s\n*.%s CNAME %s\n" % (name, target, name, target) for name, target in (
        ("a.example", "."), ("x.a.example", "*."), ("y.x.a.example", "*."), ("z.x.a.example", "."), ("b.a.example", ".")))
    assert room.dump(("one,format=rpz", rpz)) == [
        ("a.example", "suffix", NX), ("x.a.example", "suffix", "nodata"), ("z.x.a.example", "suffix", NX)]
    assert counts(room.check(("one,format=rpz", rpz)), "accepted", "folded") == [(3, 7)]


def test_a_wildcard_does_not_reach_below_a_name_that_exists(room):
    """RFC 4592, and so both BIND and Unbound: below x.a the zone has nothing to say, and the next list may."""
    given = [("one,format=rpz", "*.a.example CNAME .\nx.a.example CNAME *.\n"), ("two", "b.x.a.example\nc.a.example\n")]
    assert room.dump(*given) == [("a.example", "below", NX), ("b.x.a.example", "suffix", NX),
                                 ("x.a.example", "below", "allow"), ("x.a.example", "self", "nodata")]
    given = [("one,format=rpz", "*.b.a.example CNAME .\nx.b.a.example CNAME *.\n"), ("two,answer=refused", "a.example\n")]
    assert room.dump(*given) == [("a.example", "suffix", "refused"), ("b.a.example", "below", NX),
                                 ("x.b.a.example", "below", "refused"), ("x.b.a.example", "self", "nodata")]


def test_an_exact_entry_covers_nothing_below_it(room):
    given = [("one,match=exact", "a.example\n"), ("two", "x.a.example\na.example\n")]
    assert room.dump(*given) == [("a.example", "below", NX), ("a.example", "self", NX)]
    assert counts(room.check(*given), "accepted", "shadowed", "folded") == [(1, 0, 0), (1, 0, 1)]


def test_a_name_is_folded_through_one_that_is_shadowed(room):
    """x.b.a of the second list lies below its own b.a, which the first list shadows: so it is shadowed as well."""
    given = [("one", "a.example\n"), ("two", "b.a.example\nx.b.a.example\n")]
    assert counts(room.check(*given), "accepted", "shadowed", "folded") == [(1, 0, 0), (0, 2, 0)]


def test_observing_lists_come_last_wherever_they_stand(room):
    given = [("watch,observe", "a.example\nb.example\n"), ("block", "a.example\nx.b.example\n")]
    assert room.dump(*given) == [
        ("a.example", "suffix", NX), ("b.example", "suffix", "observe"), ("x.b.example", "suffix", NX)]
    report = room.check(*given)
    assert counts(report, "name", "observe", "accepted", "shadowed") == [("watch", True, 1, 1), ("block", False, 2, 0)]


def test_order_of_lines_is_no_matter(room):
    chance = random.Random(7)
    names = ["%s.%s.example" % (chance.choice("abc"), chance.choice("xyz")) for _ in range(30)]
    names += [name.split(".", 1)[1] for name in names[::4]] + ["d." + name for name in names]
    rules = ["%s||%s^" % (chance.choice(["", "", "@@"]), name) for name in names]
    want = room.dump(("one,format=adblock", "\n".join(rules)))
    for _ in range(5):
        chance.shuffle(rules)
        assert room.dump(("one,format=adblock", "\n".join(rules))) == want


def suffixes(name):
    parts = name.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]


@pytest.mark.parametrize("seed", range(8))
def test_folding_changes_no_decision(room, seed):
    """Random lists, each name in one of them: what the dump decides for every question is what the lists say."""
    chance = random.Random(seed)
    names = ["t.example"]
    while len(names) < 250:
        names.append("%s.%s" % (chance.choice("abcdef"), chance.choice(names)))
    lines = [[], [], [], []]
    for name in set(names[::2]):
        lines[chance.randrange(4)] += ["%s%s CNAME ." % (star, name) for star in chance.choice([("",), ("*.",), ("", "*.")])]
    lists = [("l%d,format=rpz,answer=192.0.2.%d" % (number, number + 1), "\n".join(of) + "\n")
             for number, of in enumerate(lines)]
    decided = {}
    for name, scope, answer in room.dump(*lists):
        decided[name, scope] = answer
        if scope == "suffix":
            decided[name, "self"] = decided[name, "below"] = answer
    for name in names + ["q." + name for name in names]:
        found = asked(decided, name)
        assert (None if found == "allow" else found) == meant(lists, name), name


def asked(decided, name):
    """The kernel's rule: the most specific entry that covers the name."""
    for suffix in suffixes(name):
        answer = decided.get((suffix, "self" if suffix == name else "below"))
        if answer:
            return answer
    return None


def meant(lists, name):
    """The first list that has anything to say: of the name itself, or else by the wildcard at the nearest that exists."""
    for settings, content in lists:
        owners = {line.split()[0] for line in content.splitlines()}
        exists = {suffix for owner in owners for suffix in suffixes(owner)}
        nearest = next(suffix for suffix in [*suffixes(name), ""] if suffix in exists or not suffix)
        if name in owners or (nearest != name and "*." + nearest in owners):
            return settings.rsplit("=", 1)[1]
    return None


# ---- protected names --------------------------------------------------------------------------------


PUBLIC = ["com", "co.uk", "github.io", "x.ck", "xn--fiqs8s", "pvt.k12.ma.us"]


@pytest.mark.parametrize("name", [".", "localhost", "1.168.192.in-addr.arpa", *PUBLIC])
def test_protected_names_are_kept_out(room, name):
    entry = room.check(("one", "a.example\n%s\n" % name))["lists"][0]
    assert (entry["accepted"], entry["rejected"], entry["protected"]) == (1, 1, 1)
    assert (entry["problems"][0]["line"], entry["problems"][0]["text"]) == (2, name)


@pytest.mark.parametrize("name", ["foo.github.io", "www.ck", "a.x.ck", "example.co.uk"])
def test_names_below_a_public_suffix_are_names(room, name):
    assert room.check(("one", name + "\n"))["lists"][0]["accepted"] == 1


def test_force_takes_all_but_the_root(room):
    entry = room.check(("one", "\n".join([*PUBLIC, "localhost", "."])), options=["--force"])["lists"][0]
    assert (entry["accepted"], entry["rejected"]) == (len(PUBLIC) + 1, 1)


def test_protected_names_may_be_allowed(room):
    assert room.dump(("one,answer=allow", "com\nco.uk\n"), ("two,format=adblock", "@@||org^\n")) == [
        ("co.uk", "suffix", "allow"), ("com", "suffix", "allow"), ("org", "suffix", "allow")]


def test_the_operators_own_names(room):
    room.write("mine", "# ours\ncorp.example\n\nmail.other.example # and this\n")
    given = ("one", "corp.example\nwww.corp.example\nother.example\nmail.other.example\nx.other.example\nxcorp.example\n")
    entry = room.check(given, options=["--protect", "mine"])["lists"][0]
    assert (entry["accepted"], entry["protected"]) == (2, 4)
    exact = room.check(("one,match=exact", "other.example\n"), options=["--protect", "mine"])["lists"][0]
    assert exact["accepted"] == 1, "the name alone is not what is below it"
    room.write("mine", "corp.example\nbad..name\n")
    done = room.run("--check", "--protect", "mine", *room.lists(given))
    assert done.returncode == 2 and b'mine:2:1: name "bad..name"' in done.stderr or done.returncode == 1


def test_a_list_of_protected_names_is_an_empty_one(room):
    _, sentence = room.refused(("one", "com\norg\n"))
    assert "there are no names in it, the first at feed0:1:1" in sentence


# ---- what the report says ----------------------------------------------------------------------------


def test_every_entry_is_accounted_for(room):
    report = room.check(("one", "a.example\nA.example\nx.a.example\ncom\nb..c\nd.example\n"),
                        ("two", "a.example\ny.a.example\ne.example\n"))
    assert counts(report, "lines", "accepted", "duplicate", "folded", "shadowed", "rejected") == [
        (6, 2, 1, 1, 0, 2), (3, 1, 0, 0, 2, 0)]
    assert report["names"] == 3
    assert report["memory"] == {"needed": report["bytes"], "allowed": None}
    assert report["peak_bytes"] > 0 and report["public_suffixes"] > 5000


def test_the_image_holds_what_the_report_says(room):
    report = room.build(("one", "a.example\nb.example\n"), ("two,format=rpz", "a.example CNAME *.\n*.c.example A 192.0.2.1\n"))
    image = (room.path / "image").read_bytes()
    assert len(image) == 64 + report["bytes"]
    assert int.from_bytes(image[64 + 8:64 + 16], "little") == report["names"] == 3


def test_where_shows_every_line_that_covers_a_name(room):
    given = [("one", "# head\na.example # because\nx.b.example\n"), ("two,format=rpz", "*.a.example CNAME *.\nx.a.example A 192.0.2.1\n")]
    found = room.where("X.a.example", *given)
    assert [(place["list"], place["file"], place["line"], place["column"]) for place in found] == [
        ("one", "feed0", 2, 1), ("two", "feed1", 1, 1), ("two", "feed1", 2, 1)]
    assert [(place["text"], place["scope"], place["answer"]) for place in found] == [
        ("a.example # because", "suffix", NX), ("*.a.example CNAME *.", "below", "nodata"),
        ("x.a.example A 192.0.2.1", "self", "192.0.2.1")]
    assert room.where("b.example", *given, status=4) == []
    done = room.run("--where", "x.a.example", *room.lists(given[0]))
    assert done.stdout.decode().startswith("feed0:2:1: a.example\tsuffix\tnxdomain\tone\ta.example # because")


def test_progress_is_told_and_not_too_often(room):
    room.write("feed", "".join("host%d.zone%d.example\n" % (number, number % 997) for number in range(400000)))
    reader, writer = os.pipe()
    began = time.monotonic()
    done = room.run("--key", "key", "-o", "image", "--progress-fd", writer, "feed", pass_fds=[writer])
    seconds = time.monotonic() - began
    os.close(writer)
    with os.fdopen(reader) as file:
        told = [json.loads(line) for line in file]
    assert done.returncode == 0, done.stderr
    assert told and told[0]["phase"] == "read" and told[0]["list"] == "default"
    assert all(0 <= line["bytes"] <= line["bytes_total"] == (room.path / "feed").stat().st_size for line in told)
    assert len(told) <= 1 + 5 * seconds
    keys = {"phase", "list", "bytes", "bytes_total", "lines", "accepted", "folded", "rejected"}
    assert all(set(line) == keys for line in told)


def test_text_for_people(room):
    done = room.run("--check", *room.lists(("one,format=adblock", "||a.example^\n||b.example^$x\n||..^\n")))
    assert done.returncode == 0
    assert re.search(r"^list one \(adblock\): 1 accepted, .* 1 rejected, 1 unsupported, 0 sources$", done.stdout.decode(), re.M)
    assert b"1 unsupported: adblock: options" in done.stdout
    assert b"feed0:3:3: name" in done.stderr
