"""Attach, replace, refuse, detach: each ends whole or leaves nothing behind."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from guarded import BUILD, CLI, other_layout, run, set_abi_version, wait_for

HOLDER = BUILD / "tests" / "loader" / "holder"
OK, FAILED, USAGE, NOT_ATTACHED, NOT_FOUND = range(5)


def pins(world):
    """Everything below the bpffs directory, by relative name."""
    found = (Path(where, name) for where, rooms, files in os.walk(world.bpffs) for name in rooms + files)  # some may go meanwhile
    return sorted(str(path.relative_to(world.bpffs)) for path in found)


def refused(world, *args, status=FAILED):
    """What the command says when it refuses; one line, nothing on stdout."""
    done = world.cli(*args, check=False)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def prog_on(world, name="guarded"):
    """What the kernel says runs on the device: (mode, program id), or None."""
    xdp = json.loads(world.inside.ip("-j", "link", "show", name).stdout)[0].get("xdp")
    return xdp and (xdp["mode"], xdp["prog"]["id"])


class Held:
    """A device whose hook somebody else has."""

    def __init__(self, world, how, name="guarded"):
        self.process = subprocess.Popen(world.inside.enter(HOLDER, name, how), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


# Runs its arguments where bpf(2) is not permitted, by a seccomp filter like a container's.
SHUT_OUT = """
import ctypes, os, struct, sys
call = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
rows = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)]  # ld nr; jeq; EPERM; allow
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
filter = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(text))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


# ---- attach ---------------------------------------------------------------------------------------


def test_attach_guards_and_says_so(world):
    done = json.loads(world.cli("attach", "guarded", "--json").stdout)
    assert (done["interface"], done["mode"], done["enforcing"]) == ("guarded", "native", True)
    assert (done["created"], done["replaced"], done["slot"]) == (True, False, 0)
    assert prog_on(world)[1] == world.link()[1]
    iface, = world.status()["interfaces"]
    assert (iface["name"], iface["mode"], iface["enforcing"]) == ("guarded", "native", True)


def test_pins_are_for_root_alone(world):
    world.cli("attach", "guarded")
    for room in ("dnsguard", "dnsguard/links", "dnsguard/progs"):
        assert stat.S_IMODE((world.bpffs / room).stat().st_mode) == 0o700
    key = os.stat(f"{world.dir}/state/key")
    assert (stat.S_IMODE(key.st_mode), key.st_size) == (0o600, 32)


def test_local_addresses_are_guarded_from_the_first_packet(world):
    world.inside.ip("addr", "add", "198.51.100.53/32", "dev", "lo")
    world.cli("attach", "guarded")
    for address in ("192.0.2.1", "198.51.100.53", "127.0.0.1"):
        assert world.guards(address)
    for address in ("192.0.2.2", "192.0.2.255", "255.255.255.255"):
        assert not world.guards(address)
    world.query()
    wait_for(lambda: world.frames("pass_clean") == 1)


def test_observe(world):
    world.cli("attach", "guarded", "--observe")
    assert world.status()["interfaces"][0]["enforcing"] is False
    world.cli("attach", "guarded")
    assert world.status()["interfaces"][0]["enforcing"] is True


def test_limiter_memory(world):
    world.cli("attach", "guarded", "--limiter-memory", "3M")
    assert world.status()["limiter"]["bytes"] == 2 << 20  # the power of two below
    assert world.settings()["limit_line_mask"] == (2 << 20) // 64 - 1


def test_a_name_with_a_dot(world):
    """bpffs refuses dots in names; VLAN devices have them."""
    world.make_device("gu.100", "peer100")
    world.cli("attach", "gu.100")
    assert world.status()["interfaces"][0]["name"] == "gu.100"
    world.cli("detach", "gu.100")
    assert prog_on(world, "gu.100") is None


def test_generic_only_when_asked_for(world):
    said = refused(world, "attach", "lo")  # has no native XDP
    assert "--mode generic" in said
    assert pins(world) == []
    world.cli("attach", "lo", "--mode", "generic")
    assert world.status()["interfaces"][0]["mode"] == "generic"


def test_jumbo_frames_through_fragments(world):
    for side, name in ((world.inside, "guarded"), (world.outside, "peer")):
        side.ip("link", "set", name, "mtu", "9000")
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["fragments"] is True
    world.query()
    wait_for(lambda: world.frames("pass_clean") == 1)
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["replaced"] is True


def test_small_frames_without(world):
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["fragments"] is False


# ---- replace --------------------------------------------------------------------------------------


def test_replace_keeps_link_state_and_counters(world):
    world.cli("attach", "guarded")
    world.cli("limit", "set", "--slip", "7")
    world.query(count=3)
    link, program = world.link()
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["replaced"] is True
    assert world.link()[0] == link
    assert world.link()[1] != program
    assert world.settings()["slip"] == 7
    wait_for(lambda: world.frames("pass_clean") == 3)
    world.query()
    wait_for(lambda: world.frames("pass_clean") == 4)


def test_replace_keeps_the_mode(world):
    world.cli("attach", "guarded", "--mode", "generic")
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["mode"] == "generic"
    before = world.link()
    assert "dnsguard detach guarded" in refused(world, "attach", "guarded", "--mode", "native")
    assert world.link() == before


def test_two_devices_share_the_maps(world):
    world.make_device("second", "peer2")
    world.cli("attach", "guarded")
    done = json.loads(world.cli("attach", "second", "--json").stdout)
    assert (done["created"], done["slot"]) == (False, 1)
    world.cli("detach", "guarded")
    assert [i["name"] for i in world.status()["interfaces"]] == ["second"]


def test_attaches_at_once_take_turns(world):
    world.make_device("second", "peer2")
    both = [subprocess.Popen(world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state",
                                                "attach", name), stdout=subprocess.DEVNULL)
            for name in ("guarded", "second")]
    assert [p.wait() for p in both] == [OK, OK]
    assert sorted(i["slot"] for i in world.status()["interfaces"]) == [0, 1]


def test_a_slot_counts_on_for_its_device_and_anew_for_another(world):
    world.cli("attach", "guarded")
    world.query(count=100)
    wait_for(lambda: world.frames("pass_clean") == 100)
    world.cli("detach", "guarded")
    world.cli("attach", "guarded")
    assert world.status()["interfaces"][0]["frames"] >= 100
    world.cli("detach", "guarded")
    world.make_device("second", "peer2")
    second = json.loads(world.cli("attach", "second", "--json").stdout)
    assert second["slot"] == 1  # one that nobody had, before one that remembers another
    assert world.status()["interfaces"][0]["frames"] < 100  # IPv6 says a word or two where a device comes up


def test_device_made_anew_under_its_old_name(world):
    world.cli("attach", "guarded")
    world.inside.ip("link", "del", "guarded")
    gone = world.cli("status", "--json", check=False)
    assert gone.returncode == NOT_ATTACHED
    iface, = json.loads(gone.stdout)["interfaces"]
    assert (iface["state"], iface["enforcing"]) == ("gone", False)
    assert world.cli("status", "--check", check=False).returncode == 2
    world.make_device()
    assert json.loads(world.cli("attach", "guarded", "--json").stdout)["replaced"] is False
    assert world.status()["interfaces"][0]["enforcing"] is True
    assert prog_on(world)[1] == world.link()[1]


def test_a_renamed_device_is_told_from_another(world):
    world.cli("attach", "guarded")
    world.inside.ip("link", "set", "guarded", "name", "was-guarded")
    world.make_device("guarded", "peer2")
    assert "dnsguard detach guarded" in refused(world, "attach", "guarded")
    assert prog_on(world, "was-guarded") is not None
    assert prog_on(world, "guarded") is None


# ---- refuse ---------------------------------------------------------------------------------------


def test_stranger_by_link_is_named_with_its_process(world):
    with Held(world, "link") as holder:
        said = refused(world, "attach", "guarded")
        assert '"stranger"' in said and "holder" in said and f"kill {holder.pid}" in said
        assert pins(world) == []
    world.cli("attach", "guarded")


def test_stranger_by_netlink_is_named_with_the_command(world):
    with Held(world, "netlink"):
        pass
    said = refused(world, "attach", "guarded")
    assert '"stranger"' in said and "ip link set dev guarded xdp off" in said
    assert pins(world) == []
    world.inside.ip("link", "set", "dev", "guarded", "xdp", "off")
    world.cli("attach", "guarded")


def test_a_refusal_spares_the_devices_that_are_guarded(world):
    world.make_device("second", "peer2")
    world.cli("attach", "guarded")
    before = pins(world), world.link(), prog_on(world)
    with Held(world, "link", "second"):
        refused(world, "attach", "second")
    assert (pins(world), world.link(), prog_on(world)) == before
    assert [i["name"] for i in world.status()["interfaces"]] == ["guarded"]


def test_no_such_device(world):
    assert "ip link" in refused(world, "attach", "nonesuch", status=NOT_FOUND)
    assert pins(world) == []


def test_no_bpf_filesystem(world):
    argv = world.inside.enter(CLI, "--bpffs", world.dir, "attach", "guarded")
    done = run(*argv, check=False)
    assert done.returncode == FAILED
    assert "not on a bpf filesystem" in done.stderr
    missing = run(*world.inside.enter(CLI, "--bpffs", f"{world.dir}/none", "attach", "guarded"), check=False)
    assert "mount -t bpf" in missing.stderr


def test_missing_capabilities_are_named(world):
    for drop, named in (("bpf,-sys_admin", "CAP_BPF"), ("net_admin", "CAP_NET_ADMIN"),
                        ("perfmon,-sys_admin", "CAP_PERFMON")):
        argv = world.inside.enter("setpriv", f"--bounding-set=-{drop}", CLI, "--bpffs", world.bpffs, "attach", "guarded")
        done = run(*argv, check=False)
        assert done.returncode == FAILED
        assert f"lacks {named}: run it as root" in done.stderr
        assert pins(world) == []


def test_three_capabilities_are_enough(world):
    argv = world.inside.enter("setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", CLI, "--bpffs", world.bpffs,
                              "--state-dir", f"{world.dir}/state", "attach", "guarded")
    run(*argv)
    assert prog_on(world) is not None


def test_another_layout_is_refused_and_can_be_cleared(world):
    world.cli("attach", "guarded")
    program = prog_on(world)
    set_abi_version(world, 99)
    for command in (("attach", "guarded", "--try", "60s"), ("status",), ("limit", "show")):
        said = refused(world, *command)
        assert "layout version 99" in said and "dnsguard detach --all --purge" in said
    assert prog_on(world) == program  # goes on guarding as it did
    world.cli("detach", "--all", "--purge")
    assert pins(world) == []
    assert prog_on(world) is None
    world.cli("attach", "guarded")


def test_a_guard_of_another_layout_is_replaced_in_place(world):
    """An upgrade: new maps and a new program under the link that there is; the operator's entries come from their files."""
    world.cli("attach", "guarded", "--mode", "generic")
    world.cli("block", "ads.example")
    program, link = prog_on(world), world.link()
    other_layout(world)
    told = world.cli("attach", "guarded", "--observe").stdout
    assert "another layout" in told and "replaced in place (generic" in told
    assert prog_on(world) != program and world.link()[0] == link[0]
    assert world.settings()["own_entries"] == 1 and world.status()["interfaces"][0]["enforcing"] is False
    assert sorted(path.name for path in world.bpffs.iterdir()) == ["dnsguard"]
    world.cli("detach", "guarded")
    assert prog_on(world) is None


def test_what_cannot_replace_another_layout_leaves_it_as_it_is(world):
    """The program is refused after the maps were exchanged: both go back, and the device was guarded all along."""
    world.cli("attach", "guarded")
    set_abi_version(world, 99)
    program, before = prog_on(world), pins(world)
    assert "native mode, which only a detach can change" in refused(world, "attach", "guarded", "--mode", "generic")
    assert prog_on(world) == program and pins(world) == before
    assert "layout version 99" in refused(world, "status")


def test_a_container_that_forbids_bpf_is_named(world):
    """All capabilities are there: "run it as root" would help nobody."""
    done = run(*world.inside.enter(sys.executable, "-c", SHUT_OUT, CLI, "--bpffs", world.bpffs, "--state-dir",
                                   f"{world.dir}/state", "attach", "guarded"), check=False)
    assert done.returncode == FAILED and done.stderr.count("\n") == 1
    assert "seccomp" in done.stderr and "lockdown" in done.stderr and "run it as root" not in done.stderr
    assert prog_on(world) is None and pins(world) == []


# ---- detach ---------------------------------------------------------------------------------------


def test_detach_keeps_state_purge_does_not(world):
    world.cli("attach", "guarded")
    world.cli("limit", "set", "--slip", "9")
    world.cli("detach", "guarded")
    assert prog_on(world) is None
    assert world.cli("status", check=False).returncode == NOT_ATTACHED
    world.cli("attach", "guarded")
    assert world.settings()["slip"] == 9
    assert world.cli("detach", "guarded", "--purge").stderr == ""
    assert pins(world) == []


def test_purge_spares_what_others_use(world):
    world.make_device("second", "peer2")
    world.cli("attach", "guarded")
    world.cli("attach", "second")
    world.cli("detach", "guarded", "--purge")
    assert world.status()["interfaces"][0]["name"] == "second"


def test_detach_what_is_not_guarded(world):
    assert '"guarded" is not guarded' in refused(world, "detach", "guarded", status=NOT_ATTACHED)
    refused(world, "detach", "--all", status=NOT_ATTACHED)
    refused(world, "detach", status=USAGE)
    refused(world, "detach", "guarded", "--all", status=USAGE)


def test_the_key_outlives_the_maps(world):
    world.cli("attach", "guarded")
    before = world.settings()
    world.cli("detach", "--all", "--purge")
    world.cli("attach", "guarded")
    after = world.settings()
    assert after["hash_key"] == before["hash_key"]
    assert after["limit_key"] != before["limit_key"]
    assert after["probe_secret"] != before["probe_secret"]


def test_a_broken_key_file_is_not_overwritten(world):
    with open(f"{world.dir}/state/key", "wb") as file:
        file.write(b"short")
    assert "holds 5 bytes, a key has 32" in refused(world, "attach", "guarded")
    assert pins(world) == []


def test_entries_and_bans_come_back(world):
    world.cli("attach", "guarded")
    world.cli("block", "blocked.example")
    world.cli("source", "ban", "203.0.113.0/24", "--reason", "flood")
    world.cli("detach", "--all", "--purge")
    done = json.loads(world.cli("attach", "guarded", "--json").stdout)
    assert done["note"] == ""
    assert world.status()["names"]["own"] == 1
    row, = json.loads(world.cli("source", "show", "--json").stdout)["sources"]
    assert (row["prefix"], row["banned"], row["reason"]) == ("203.0.113.0/24", True, "flood")


def test_a_broken_file_of_bans_is_said_but_guards(world):
    with open(f"{world.dir}/state/sources", "w") as file:
        file.write("nonsense\n")
    done = json.loads(world.cli("attach", "guarded", "--json").stdout)
    assert "sources:1:" in done["note"]
    assert prog_on(world) is not None
