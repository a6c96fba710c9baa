"""What an operator says takes effect on the next packet, and is counted under its own name."""

import errno
import json
import socket
from pathlib import Path

import pytest

from guarded import CLI, CLIENT, QUERY, SERVER, run, wait_for

OK, FAILED, USAGE, NOT_FOUND, UNSAFE = 0, 1, 2, 4, 5


def verdicts_of_queries(world, count):
    """Sends so many queries at a stroke; {verdict: how many of them}."""
    def raised():
        # A neighbour's ARP or ND may come between: not the queries' doing.
        now = {label: row["frames"] for label, row in world.status()["verdicts"].items()}
        return {label: now[label] - before.get(label, 0) for label in now
                if now[label] > before.get(label, 0) and label not in ("pass_not_dns", "pass_ip_options")}

    before = {}
    before = raised()
    world.query(count=count)
    wait_for(lambda: sum(raised().values()) == count)
    return raised()


def verdict_of_a_query(world):
    verdict, = verdicts_of_queries(world, 1)
    return verdict


MANY = 20  # at one a second: the second of them is over the limit, however long the commands before it took


def send_from(world, address, count):
    with world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        for _ in range(count):
            one.sendto(QUERY, (SERVER, 53))


def refused(world, *args, status):
    done = world.cli(*args, check=False)
    assert done.returncode == status, done
    assert done.stdout == "" and done.stderr.count("\n") == 1
    return done.stderr


# ---- pause ----------------------------------------------------------------------------------------


def test_pause_and_resume(world):
    assert verdict_of_a_query(world) == "pass_clean"
    world.cli("pause", "5m")
    status = world.status()
    assert 290 <= status["paused_seconds"] <= 300
    assert status["interfaces"][0]["enforcing"] is False
    assert verdict_of_a_query(world) == "pass_paused"
    assert world.cli("status", "--check", check=False).returncode == 1
    world.cli("resume")
    assert verdict_of_a_query(world) == "pass_clean"


def test_a_pause_ends_by_itself(world):
    world.cli("pause", "1s")
    until = world.settings()["paused_until_ns"]
    while world.status()["paused_seconds"] is not None:  # the same clock as the kernel's
        pass
    assert world.settings()["paused_until_ns"] == until  # nobody wrote: the deadline passed
    assert verdict_of_a_query(world) == "pass_clean"


def test_pause_refuses_what_is_no_duration(world):
    for word in ("soon", "-5m", "0s"):
        assert f'"{word}"' in refused(world, "pause", "--", word, status=USAGE)


# ---- senders --------------------------------------------------------------------------------------


def test_ban_and_forget(world):
    world.cli("source", "ban", f"{CLIENT}/28")
    assert verdict_of_a_query(world) == "drop_banned"
    world.cli("source", "forget", f"{CLIENT}/28")
    assert verdict_of_a_query(world) == "pass_clean"
    assert "nothing is said of" in refused(world, "source", "forget", f"{CLIENT}/28", status=NOT_FOUND)


def test_who_asks_for_one_sender_hears_of_that_one(world):
    world.cli("source", "ban", CLIENT)
    asked = world.cli("source", "show", "198.51.100.9", check=False)
    assert (asked.returncode, asked.stdout) == (NOT_FOUND, "nothing is said of 198.51.100.9\n")


def test_what_cannot_be_kept_is_done_and_said(world):
    """A full disk is no reason to let a flood through: it is in force, and a reboot would end it."""
    state = Path(world.dir, "full")
    state.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4k", "full", state)
    try:
        (state / "other").write_bytes(bytes(4096))
        for words, file in ((("block", "www.example"), "own"), (("source", "ban", CLIENT), "sources")):
            done = run(*world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", state, *words), check=False)
            assert (done.returncode, done.stdout) == (FAILED, ""), done
            assert done.stderr == f'dnsguard: done, but a reboot undoes it: file "{state}/{file}": cannot write it: No space left on device\n'
        assert verdict_of_a_query(world) == "drop_banned"
        world.cli("source", "forget", CLIENT)
        assert verdict_of_a_query(world) == "reply_sinkhole"
    finally:
        run("umount", state)


def test_a_directory_whose_parent_is_missing_is_told(world):
    said = refused(world, "--state-dir", f"{world.dir}/no/such", "block", "a.example", status=FAILED)
    assert said.endswith("No such file or directory; make the one above it first, with mkdir -p\n")


def test_ban_of_somebody_else(world):
    world.cli("source", "ban", "198.51.100.0/24")
    assert verdict_of_a_query(world) == "pass_clean"


def test_a_ban_is_only_observed_on_an_observing_device(world):
    world.cli("attach", "guarded", "--observe")
    world.cli("source", "ban", CLIENT)
    assert verdict_of_a_query(world) == "pass_observed_banned"


def test_a_short_ban_inside_a_long_one_does_not_end_it(world):
    world.cli("source", "ban", CLIENT, "--for", "1s")
    world.cli("source", "ban", f"{CLIENT}/24")
    wait_for(lambda: not any(row["prefix"] == CLIENT and row["banned"]
                             for row in json.loads(world.cli("source", "show", "--json").stdout)["sources"]))
    assert verdict_of_a_query(world) == "drop_banned"


def test_ban_of_half_the_internet_needs_force(world):
    assert "--force" in refused(world, "source", "ban", "128.0.0.0/1", status=UNSAFE)
    assert verdict_of_a_query(world) == "pass_clean"
    world.cli("source", "ban", "128.0.0.0/1", "--force")
    assert verdict_of_a_query(world) == "drop_banned"


def test_exempt_from_limits(world):
    world.cli("limit", "set", "--rate-limit", "1", "--instant-limit", "1", "--slip", "0")
    assert verdicts_of_queries(world, MANY)["drop_limited"] > 0
    world.cli("source", "exempt", CLIENT, "--from", "limits")
    assert verdicts_of_queries(world, MANY) == {"pass_clean": MANY}
    world.cli("source", "forget", CLIENT)
    assert verdicts_of_queries(world, MANY)["drop_limited"] > 0


def test_exempt_from_the_sinkhole(world):
    world.cli("block", "www.example")
    world.cli("source", "exempt", CLIENT, "--from", "sinkhole")
    assert verdict_of_a_query(world) == "pass_exempt"


def test_whoever_looks_ends_what_is_over(world):
    """The kernel ends bans by itself; an exemption goes with the next look, from the file as well."""
    world.cli("block", "www.example")
    world.cli("source", "exempt", CLIENT, "--from", "sinkhole", "--for", "1h")
    assert verdict_of_a_query(world) == "pass_exempt"
    world.cli("source", "exempt", CLIENT, "--from", "sinkhole", "--for", "1s")
    while json.loads(world.cli("source", "show", "--json").stdout)["sources"]:
        pass
    assert verdict_of_a_query(world) == "reply_sinkhole"
    assert CLIENT not in Path(f"{world.dir}/state/sources").read_text()


def test_show_tells_what_holds_for_an_address(world):
    world.cli("source", "ban", "198.51.100.0/24", "--reason", "flood", "--for", "2h")
    rows = json.loads(world.cli("source", "show", "198.51.100.7", "--json").stdout)["sources"]
    assert [(r["prefix"], r["banned"], r["reason"]) for r in rows] == [("198.51.100.0/24", True, "flood")]
    assert 7190 <= rows[0]["ban_remaining_seconds"] <= 7200
    assert world.cli("source", "show", "203.0.113.1", check=False).returncode == NOT_FOUND


def test_a_reason_is_one_short_line(world):
    assert "reason" in refused(world, "source", "ban", CLIENT, "--reason", "two\nlines", status=USAGE)
    assert "reason" in refused(world, "source", "ban", CLIENT, "--reason", "x" * 48, status=USAGE)
    world.cli("source", "ban", CLIENT, "--reason", "x" * 47)


# ---- names ----------------------------------------------------------------------------------------


def test_unsafe_names_need_force(world):
    for name, why in (("com", "single label"), ("localhost", "RFC 6761"), ("7.0.0.127.in-addr.arpa", "under arpa")):
        assert why in refused(world, "block", name, status=UNSAFE)
    world.cli("block", "example", "--force")
    assert verdict_of_a_query(world) == "reply_sinkhole"


def test_the_root_cannot_be_listed_and_what_does_instead(world):
    """The command that the refusal names does for all names what was asked for."""
    for force in ([], ["--force"]):
        said = refused(world, "block", "www.example", ".", *force, status=UNSAFE)
        assert "cannot be listed" in said
        assert verdict_of_a_query(world) == "pass_clean"  # nor is the name beside it
    instead(world, said)
    assert verdict_of_a_query(world) == "drop_banned"
    world.cli("source", "forget", "0.0.0.0/0")
    world.cli("block", "www.example")
    instead(world, refused(world, "allow", ".", status=UNSAFE))
    assert verdict_of_a_query(world) == "pass_exempt"


def instead(world, said):
    command = said.split(": dnsguard ", 2)[-1].split(", ")[0]
    world.cli(*command.split())


# ---- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, verdict", [("enforce", "drop_limited"), ("observe", "pass_observed_limited"),
                                           ("off", "pass_clean")])
def test_limit_modes(world, mode, verdict):
    world.cli("limit", "set", "--rate-limit", "1", "--instant-limit", "1", "--slip", "0", "--mode", mode)
    raised = verdicts_of_queries(world, MANY)
    assert verdict in raised and set(raised) <= {verdict, "pass_clean"}
    assert world.status()["limiter"]["limited_sources"] == (0 if mode == "off" else 1)


def test_a_refused_limit_changes_nothing(world):
    before = world.settings()
    refused(world, "limit", "set", "--rate-limit", "1", "--instant-limit", "10000000", "--slip", "5", status=USAGE)
    assert world.settings() == before


def test_limit_shows_what_was_set(world):
    world.cli("limit", "set", "--rate-limit", "20", "--instant-limit", "50", "--slip", "3", "--budget", "1000")
    shown = json.loads(world.cli("limit", "--json").stdout)
    assert shown["query"] == {"mode": "enforce", "rate_limit": 20, "instant_limit": 50, "slip": 3}
    assert shown["budget_per_second"] == 1000
    first = shown["ladder"][0]
    assert (first["prefix"], round(first["queries_per_second"])) == ("IPv4/32", 20)


# ---- what came after the attach -------------------------------------------------------------------


def drift(world):
    return world.status()["drift"]


def mended(world):
    """The very command that the line names."""
    command = drift(world)["text"].rsplit(": dnsguard ", 1)[1]
    world.cli(*command.split())
    assert drift(world) is None
    assert world.cli("status", "--check").stdout.startswith("DNSGUARD OK")


def test_an_address_that_came_later_is_told_and_mended(world):
    assert drift(world) is None
    world.inside.ip("addr", "add", "198.51.100.53/32", "dev", "lo")
    told = drift(world)
    assert (told["addresses_missing"], told["addresses_gone"], told["device_changed"]) == (1, 0, None)
    assert told["text"] == "1 address of this host not known: dnsguard attach guarded"
    assert told["text"] in world.cli("status").stdout
    assert told["text"] in world.cli("status", "--check", check=False).stdout
    assert not world.guards("198.51.100.53")
    mended(world)
    assert world.guards("198.51.100.53")


def test_an_address_that_went_is_told_and_mended(world):
    world.inside.ip("addr", "add", "198.51.100.53/32", "dev", "lo")
    world.inside.ip("addr", "add", "198.51.100.54/32", "dev", "lo")
    mended(world)
    for address in ("198.51.100.53", "198.51.100.54"):
        world.inside.ip("addr", "del", f"{address}/32", "dev", "lo")
    assert drift(world)["text"] == "2 known addresses gone: dnsguard attach guarded"
    mended(world)
    assert not world.guards("198.51.100.53")


def test_a_device_that_changed_is_told_and_mended_in_its_own_mode(world):
    world.cli("attach", "guarded", "--observe")
    world.inside.ip("link", "set", "guarded", "address", "02:00:00:00:00:99")
    assert drift(world)["device_changed"] == "guarded"
    assert drift(world)["text"] == "guarded changed its MAC or its VLANs: dnsguard attach guarded --observe"
    mended(world)
    assert world.status()["interfaces"][0]["enforcing"] is False
    assert world.iface()["mac"][0][:6] == [2, 0, 0, 0, 0, 0x99]


def test_another_namespace_is_not_compared(world):
    """Whoever looks from elsewhere sees other addresses; that is no drift."""
    shown = run(CLI, "--bpffs", world.bpffs, "status", "--json", check=False)
    assert json.loads(shown.stdout)["drift"] is None


# ---- two faces ------------------------------------------------------------------------------------


def test_verdicts_are_all_frames(world):
    world.query(count=7)
    status = world.status()
    assert sum(v["frames"] for v in status["verdicts"].values()) == status["interfaces"][0]["frames"]
    assert status["verdicts"]["unsettled"]["frames"] == 0


def test_text_says_what_json_says(world):
    verdicts_of_queries(world, 3)
    text = world.cli("status").stdout
    line, = [row for row in text.splitlines() if row.startswith("pass_clean")]
    assert line.split()[1] == "3"
    assert "drop_banned" not in text  # nothing of the kind happened


def test_top_once(world):
    verdicts_of_queries(world, 3)
    shown = json.loads(world.cli("top", "--once", "--json", "--interval", "1s").stdout)
    assert any(row["verdict"] == "pass_clean" and row["frames"] == 3 for row in shown["verdicts"])
    assert "pass_clean" in world.cli("top", "--once").stdout


TALKERS_LIMITED, WORD = 16384, 2**64 - 1  # slots: bpf/abi.h


def slot_of(world, address):
    """Where a sender is noted, by the secret of this guard: of two in one slot only one is shown. dg_hash_addr() of bpf/hash.h."""
    key = world.settings()["limit_key"]
    low = int.from_bytes(b"\0\0\xff\xff" + socket.inet_aton(address), "little") ^ 32  # and its 32 bits
    word = low + key[1] & WORD
    mixed = (key[0] * (key[1] | 1) ^ (word << 32 | word >> 32)) & WORD
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ mixed >> shift) * factor & WORD
    return mixed % TALKERS_LIMITED


def test_top_names_the_heaviest_senders(world):
    """One sender of many queries over its limit, another of few; and who opens TCP connections."""
    def refuse(times):
        """Who was refused is shown for ten seconds."""
        world.query(count=40)
        send_from(world, few, 5)
        wait_for(lambda: world.frames("pass_clean") + world.frames("drop_limited") == times * 45)

    few = next(one for one in ("192.0.2.99", "192.0.2.98") if slot_of(world, one) != slot_of(world, CLIENT))
    world.outside.ip("addr", "add", f"{few}/24", "dev", "peer")
    world.cli("limit", "set", "--rate-limit", "1", "--instant-limit", "1", "--slip", "0")
    refuse(1)
    for _ in range(3):
        with world.outside.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
            assert one.connect_ex((SERVER, 53)) == errno.ECONNREFUSED  # no resolver there: the SYN is what counts
    shown = json.loads(world.cli("top", "--once", "--json", "--interval", "1s").stdout)
    assert [row["prefix"] for row in shown["limited"]] == [CLIENT, few]
    heavy, light = (row["frames"] for row in shown["limited"])
    assert 35 <= heavy <= 39 and 1 <= light <= 4
    assert [(row["prefix"], row["frames"]) for row in shown["syn_senders"]] == [(CLIENT, 3)]
    refuse(2)
    assert world.status()["limiter"]["limited_sources"] == 2
    text = world.cli("top", "--once", "--interval", "1s").stdout
    assert text.index(CLIENT) < text.index(few)


def test_a_device_that_is_not_there_is_not_found(world):
    for verb in "attach", "doctor":
        assert 'no network device "guardet" here; did you mean guarded?' in refused(world, verb, "guardet", status=NOT_FOUND)


def test_an_error_is_json_for_who_asked_for_json(world):
    done = world.cli("--json", "source", "ban", "nowhere", check=False)
    assert done.returncode == USAGE
    said = json.loads(done.stdout)
    assert said["schema"] == 1 and said["exit_status"] == USAGE and '"nowhere"' in said["error"]
    assert done.stderr
