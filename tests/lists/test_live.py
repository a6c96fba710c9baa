"""Lists on a guarded device: live at once, swapped whole, kept for the next attach, and seen by whoever watches."""

import json
import subprocess

import pytest

from guarded import wait_for
from house import CLI, FAILED, NOT_ATTACHED, OK, UNSAFE

WARNING = 1
NAMES = 2311  # an image of a size that no other guard on this host is likely to have
ZONE = """$TTL 60
@ SOA localhost. root.localhost. 1 3600 600 86400 60
  NS localhost.
bad.example CNAME .
{}
"""


def zone(guard, *records):
    return guard.file("zone", ZONE.format("\n".join(records)))


def test_live_at_once_and_gone_at_once(guard):
    assert guard.decided("www.bad.example") == ("pass_clean", None)
    report = guard.json("list", "add", "ads", guard.file("ads", "bad.example"))
    assert report["attached"] and report["published"]
    assert guard.decided("www.bad.example") == ("reply_sinkhole", "ads")
    guard.file("ads", "worse.example")
    guard.cli("list", "update")
    assert guard.decided("www.bad.example") == ("pass_clean", None)
    assert guard.decided("worse.example") == ("reply_sinkhole", "ads")
    guard.cli("list", "rm", "ads")
    assert guard.decided("worse.example") == ("pass_clean", None)
    assert guard.json("status")["names"]["listed"] == 0


def test_explain_names_the_line(guard):
    source = guard.file("ads", "# a list", "", "first.example", "bad.example   # since 2019")
    guard.cli("list", "add", "ads", source)
    line = guard.explain("www.bad.example")["line"]
    assert (line["file"], line["line"]) == (str(source), 4) and "bad.example" in line["text"]
    assert f"{source}:4: bad.example" in guard.cli("explain", "www.bad.example").stdout
    assert guard.explain("good.example")["line"] is None


def test_explain_names_the_line_of_a_wildcard(guard):
    """It covers nothing but names below the one that matched."""
    guard.cli("list", "add", "zone", zone(guard, "*.wild.example CNAME *."))
    assert guard.explain("a.wild.example")["line"]["text"] == "*.wild.example CNAME *."
    assert guard.explain("wild.example")["line"] is None


def test_explain_names_the_file_of_a_directory(guard):
    feeds = guard.dir / "feeds"
    feeds.mkdir()
    (feeds / "a").write_text("a.example\n")
    (feeds / "b").write_text("\nb.example\n")
    guard.cli("list", "add", "feeds", feeds)
    line = guard.explain("b.example")["line"]
    assert (line["file"], line["line"]) == (f"{feeds}/b", 2)


def test_what_stands_in_a_line_does_not_reach_the_terminal(guard):
    guard.cli("list", "add", "ads", guard.file("ads", "bad.example # \x1b[2Jgone", "b.example"))
    assert "\x1b" not in guard.cli("explain", "bad.example").stdout


def test_precedence_between_lists(guard):
    guard.cli("list", "add", "block", guard.file("block", "shop.example"))
    guard.cli("list", "add", "allow", guard.file("allow", "shop.example"), "--answer", "allow", "--first")
    assert guard.decided("shop.example")[1] == "allow"
    guard.cli("list", "rm", "allow")
    assert guard.decided("shop.example") == ("reply_sinkhole", "block")


def test_a_list_that_observes(guard):
    guard.cli("list", "add", "new", guard.file("new", "bad.example"), "--observe")
    verdict, name = guard.decided("bad.example")
    assert name == "new" and verdict.startswith("pass_observed")


def test_status_shows_lists_and_their_age(guard):
    source = guard.file("ads", "bad.example", "worse.example")
    guard.cli("list", "add", "ads", source)
    status = guard.json("status")
    (row,) = status["lists"]
    assert (row["name"], row["entries"], row["state"]) == ("ads", 2, "fresh")
    assert status["names"]["listed"] == 2 and status["names"]["lists"] == 1
    assert guard.cli("status", "--check").stdout.startswith("DNSGUARD OK")
    source.unlink()
    guard.cli("list", "update", status=FAILED)
    said = guard.cli("status", "--check", status=WARNING).stdout
    assert "list ads is stale since" in said and said.count("\n") == 1
    assert guard.decided("bad.example") == ("reply_sinkhole", "ads")
    guard.file("ads", "bad.example", "worse.example")
    guard.cli("list", "update")
    guard.cli("status", "--check", status=OK)


def test_after_a_reboot(guard):
    """Maps and links are gone; the state directory is not, and the sources are not asked."""
    source = guard.file("ads", "bad.example")
    guard.cli("list", "add", "ads", source)
    guard.detach()
    assert guard.cli("status", status=NOT_ATTACHED)
    source.unlink()
    guard.attach()
    assert guard.decided("bad.example") == ("reply_sinkhole", "ads")


def test_added_before_the_first_attach(guard):
    guard.detach()
    report = guard.json("list", "add", "ads", guard.file("ads", "bad.example"))
    assert report["compiled"] and not report["attached"]
    guard.attach()
    assert guard.decided("bad.example") == ("reply_sinkhole", "ads")
    assert not guard.json("list", "update")["compiled"]  # what attach restored is known to be right


def test_an_image_that_somebody_dropped_comes_back(guard):
    guard.cli("list", "add", "ads", guard.file("ads", "bad.example"))
    guard.cli("image", "drop")
    assert guard.decided("bad.example") == ("pass_clean", None)
    assert guard.list("ads")["state"] == "not live"
    assert "list ads is not live" in guard.cli("status", "--check", status=WARNING).stdout
    assert guard.json("list", "update")["published"]
    assert guard.decided("bad.example") == ("reply_sinkhole", "ads")


def test_an_image_of_somebody_else_is_not_dropped(guard):
    """Without a single list, an image that was loaded by hand stays."""
    from house import BUILD, run
    run(BUILD / "dnsguard-compile", "--key", guard.state / "key", "-o", guard.dir / "image", guard.file("x", "hand.example"))
    guard.cli("image", "load", guard.dir / "image")
    guard.cli("list", "update")
    assert guard.decided("hand.example")[0] == "reply_sinkhole"


def test_lists_that_cannot_be_read_are_a_warning(guard):
    guard.cli("list", "add", "ads", guard.file("ads", "bad.example"))
    (guard.state / "lists" / "registry.json").write_text("{")
    assert "the lists cannot be read" in guard.cli("status", "--check", status=WARNING).stdout


def test_with_the_rights_of_the_service_and_no_more(guard):
    """The rights that a unit has to give: those of the guard, and to become nobody."""
    def confined(*caps):
        argv = guard.argv("list", "update", "--force")
        at = argv.index(str(CLI))
        return subprocess.run([*argv[:at], "setpriv", f"--bounding-set=-all,{','.join('+' + cap for cap in caps)}", *argv[at:]],
                              text=True, capture_output=True)

    guard.cli("list", "add", "ads", guard.file("ads", "bad.example"))
    done = confined("bpf", "net_admin", "perfmon", "setuid", "setgid")
    assert done.returncode == OK, done
    done = confined("bpf", "net_admin", "perfmon")
    assert done.returncode == FAILED and "CAP_SETUID" in done.stdout


# ---- senders --------------------------------------------------------------------------------------


RPZ = ("--format", "rpz")  # who may ask at all is policy: the operator has said that this is one


def test_a_feed_that_only_looks_like_a_zone_says_nothing_of_senders(guard):
    zone(guard, "a.example CNAME .", "32.7.100.51.198.rpz-client-ip CNAME rpz-drop.")
    report = guard.json("list", "add", "rpz", guard.dir / "zone")
    assert guard.sources() == {}
    (row,) = report["lists"]
    assert row["format"] == "rpz" and row["unsupported"] == 1 and row["senders"] == 0
    assert "--format rpz" in next(iter(row["unsupported_reasons"]))
    assert "--format rpz" in guard.cli("list", "update", "--force").stdout


def test_a_zone_says_something_of_senders(guard):
    guard.cli("list", "add", "rpz", zone(guard, "32.7.100.51.198.rpz-client-ip CNAME rpz-drop.",
                                        "24.0.113.0.203.rpz-client-ip CNAME rpz-passthru."), *RPZ)
    sources = guard.sources()
    assert sources["198.51.100.7"]["banned"] and sources["198.51.100.7"]["reason"] == "list rpz"
    assert sources["203.0.113.0/24"]["exempt_from"] and sources["203.0.113.0/24"]["reason"] == "list rpz"
    zone(guard, "32.8.100.51.198.rpz-client-ip CNAME rpz-drop.")
    guard.cli("list", "update")
    assert set(guard.sources()) == {"198.51.100.8"}
    guard.cli("list", "rm", "rpz")
    assert guard.sources() == {}


def test_senders_follow_when_the_guard_comes_back(guard):
    """What was said of senders while nobody could be told is told at the first run with a guard."""
    guard.cli("list", "add", "rpz", zone(guard, "32.7.100.51.198.rpz-client-ip CNAME rpz-drop."), *RPZ)
    guard.detach()
    guard.cli("list", "rm", "rpz")
    guard.attach()
    assert guard.sources()["198.51.100.7"]["banned"]  # from the file that attach restores
    guard.cli("list", "update")
    assert guard.sources() == {}
    guard.detach()
    guard.cli("list", "add", "rpz", zone(guard, "32.8.100.51.198.rpz-client-ip CNAME rpz-drop."), *RPZ)
    guard.attach()
    assert guard.sources() == {}
    guard.cli("list", "update")
    assert set(guard.sources()) == {"198.51.100.8"}
    assert not guard.json("list", "update")["compiled"]  # once is enough


def test_the_operators_word_counts_more(guard):
    guard.cli("source", "ban", "198.51.100.7", "--reason", "mine")
    guard.cli("source", "exempt", "198.51.100.9", "--reason", "list like words")
    guard.cli("list", "add", "rpz", zone(guard, "32.7.100.51.198.rpz-client-ip CNAME rpz-passthru.",
                                        "32.8.100.51.198.rpz-client-ip CNAME rpz-drop."), *RPZ)
    sources = guard.sources()
    assert sources["198.51.100.7"]["banned"] and sources["198.51.100.7"]["reason"] == "mine"
    guard.cli("source", "forget", "198.51.100.8")
    guard.cli("source", "ban", "198.51.100.8", "--reason", "mine too")
    guard.cli("list", "rm", "rpz")
    assert {prefix: row["reason"] for prefix, row in guard.sources().items()} == {
        "198.51.100.7": "mine", "198.51.100.8": "mine too", "198.51.100.9": "list like words"}


def test_more_senders_than_there_is_room_for(guard):
    """Refused, not cut off: one list by itself, and two together."""
    def senders(first, count):
        return [f"32.{i % 256}.{i // 256}.51.198.rpz-client-ip CNAME rpz-drop." for i in range(first, first + count)]

    zone(guard, *senders(0, 4097))
    assert "4097 senders" in guard.refused("list", "add", "rpz", guard.dir / "zone", *RPZ, status=UNSAFE)
    zone(guard, *senders(0, 4096))
    guard.cli("list", "add", "rpz", guard.dir / "zone", *RPZ)
    assert len(guard.sources()) == 4096 and guard.list("rpz")["senders"] == 4096
    other = guard.file("other", "$TTL 60", "@ SOA localhost. root.localhost. 1 3600 600 86400 60", *senders(4095, 2))
    assert "4097 senders" in guard.refused("list", "add", "other", other, *RPZ, status=UNSAFE)
    assert len(guard.sources()) == 4096


def test_a_table_of_senders_that_is_full(guard):
    """Refused before anything is changed: names of such a list are not live either."""
    guard.detach()
    guard.dir.joinpath("state", "sources").write_text("".join(f"10.1.{i // 256}.{i % 256} ever no 0 mine\n" for i in range(65536)))
    guard.attach()
    zone(guard, "a.example CNAME .", "32.7.100.51.198.rpz-client-ip CNAME rpz-drop.")
    said = guard.refused("list", "add", "rpz", guard.dir / "zone", *RPZ, status=UNSAFE)
    assert "no room for the 1 that lists ban or exempt" in said
    assert guard.lists() == [] and guard.decided("a.example") == ("pass_clean", None)


def test_a_zone_does_not_ban_the_internet(guard):
    guard.cli("list", "add", "rpz", zone(guard, "1.0.0.0.128.rpz-client-ip CNAME rpz-drop."), *RPZ)
    assert guard.sources() == {}


def test_a_zone_does_not_lift_the_limits_for_everybody(guard):
    guard.cli("list", "add", "rpz", zone(guard, "1.0.0.0.0.rpz-client-ip CNAME rpz-passthru.",
                                        "1.0.0.0.128.rpz-client-ip CNAME rpz-passthru."), *RPZ)
    assert guard.sources() == {}


# ---- memory ---------------------------------------------------------------------------------------


def test_a_hundred_reloads_with_flat_memory(guard):
    """The old image goes when the new one is there: in the kernel as on the disk."""
    def names(turn):
        return [f"n{turn}-{i}.example" for i in range(NAMES)]

    source = guard.file("ads", *names(0))
    guard.cli("list", "add", "ads", source)
    files = sorted(guard.tree())
    for turn in range(1, 101):
        guard.file("ads", *names(turn))
        guard.cli("list", "update")
    assert guard.decided(f"n100-{NAMES - 1}.example") == ("reply_sinkhole", "ads")
    assert guard.decided(f"n99-{NAMES - 1}.example") == ("pass_clean", None)
    assert sorted(guard.tree()) == files
    wait_for(lambda: len(guard.image_maps()) == 1)  # whoever lists all maps of this host holds the old one for a moment


@pytest.mark.parametrize("lists", [1, 5])
def test_reading_costs_no_more_with_more_names(guard, lists):
    """status reads the registry and one small file a list: it opens no content."""
    for i in range(lists):
        guard.cli("list", "add", f"l{i}", guard.file(f"f{i}", *(f"n{i}-{k}.example" for k in range(5000))))
    for path in (guard.state / "lists").glob("*/content"):
        path.chmod(0o600)
        path.rename(path.with_name("hidden"))
    assert [row["entries"] for row in guard.json("status")["lists"]] == [5000] * lists
    assert json.loads(guard.cli("list", "ls", "--json").stdout)["lists"][0]["accepted"] == 5000
