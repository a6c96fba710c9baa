"""Start, stop, crash, adopt: what the daemon leaves standing, and what it refuses to start."""

import ctypes
import os
import platform
import signal
import struct
import subprocess

import pytest

from guarded import DAEMON, PATIENCE, SANDBOX, Daemon, wait_for

CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = 1 << 12, 1 << 38, 1 << 39
LENT = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10  # kill, setgid, setuid, net_bind_service: for the helpers of lists


def nothing_pinned(world):
    return not list((world.bpffs / "dnsguard").glob("links/*")) if (world.bpffs / "dnsguard").exists() else True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_filtering_in_place(world, number):
    daemon = Daemon(world, "--interface", "guarded").ready()
    world.query(count=3)
    wait_for(lambda: daemon.packets("pass_clean") == 3)
    link = world.link()
    assert daemon.stop(number) == 0
    assert daemon.notify.until("STOPPING=1")
    world.query(count=2)
    wait_for(lambda: world.frames("pass_clean") == 5)
    assert world.link() == link


def test_killed_daemon_is_adopted(world):
    """Same link, same program, same counters: nothing was detached or replaced, so no packet slipped through."""
    first = Daemon(world, "--interface", "guarded").ready()
    world.query(count=3)
    wait_for(lambda: first.packets("pass_clean") == 3)
    link = world.link()
    first.stop(signal.SIGKILL)
    world.query(count=4)
    second = Daemon(world, "--interface", "guarded").ready()
    wait_for(lambda: second.packets("pass_clean") == 7)
    assert world.link() == link


BPF_PROG_LOAD, BPF_OBJ_GET, BPF_LINK_UPDATE = 5, 7, 29
BPF_PROG_TYPE_XDP, BPF_XDP = 6, 37
NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]


def bpf(command, attr):
    """bpf(2), whose attribute is a union as long as its last field in use."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(NR_BPF, command, ctypes.c_char_p(attr), len(attr))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return done


def run_another_program(world):
    """As after an upgrade: the link runs a program that is not this build's (return XDP_PASS)."""
    code = ctypes.create_string_buffer(struct.pack("<QQ", 0x00000002000000B7, 0x95))
    text = ctypes.create_string_buffer(b"GPL")
    path = ctypes.create_string_buffer(str(world.bpffs / "dnsguard/links/guarded").encode())
    program = bpf(BPF_PROG_LOAD, struct.pack("<IIQQ44xI", BPF_PROG_TYPE_XDP, 2, ctypes.addressof(code),
                                             ctypes.addressof(text), BPF_XDP))
    link = bpf(BPF_OBJ_GET, struct.pack("<QII", ctypes.addressof(path), 0, 0))
    bpf(BPF_LINK_UPDATE, struct.pack("<IIII", link, program, 0, 0))
    os.close(program)
    os.close(link)


@pytest.mark.parametrize("wrap", [(), SANDBOX], ids=["root", "sandboxed"])
def test_another_program_is_replaced_in_place(world, wrap):
    """The sandboxed service has few capabilities; they must do for an upgrade."""
    Daemon(world, "--interface", "guarded").ready().stop()
    run_another_program(world)
    before = world.link()
    daemon = Daemon(world, "--interface", "guarded", wrap=wrap).ready()
    after = world.link()
    assert after[0] == before[0] and after[1] != before[1]
    assert any("guarded: replaced in place" in line for line in daemon.log.rest_of())
    world.query()
    wait_for(lambda: daemon.packets("pass_clean") == 1)


def test_second_daemon_is_refused_naming_the_first(world):
    first = Daemon(world, "--interface", "guarded").ready()
    status, log = Daemon(world, "--listen", "off").fails()
    assert status == 1 and f"pid {first.process.pid}" in log and log.count("\n") == 1
    assert first.get("/healthz")[1] == "ok\n"


def test_guard_attached_by_hand_is_adopted_as_it_is(world):
    world.cli("attach", "guarded", "--observe")
    link = world.link()
    daemon = Daemon(world, "--interface", "guarded").ready()
    assert world.link()[0] == link[0]
    assert daemon.samples()['dnsguard_enforcing{interface="guarded"}'] == 0


def test_observe_on_request(world):
    daemon = Daemon(world, "--interface", "guarded", "--observe").ready()
    assert daemon.samples()['dnsguard_enforcing{interface="guarded"}'] == 0


def test_configuration_that_observes(world):
    daemon = Daemon(world, config="mode: observe\ninterfaces: [guarded]\n").ready()
    assert daemon.samples()['dnsguard_enforcing{interface="guarded"}'] == 0


def test_without_devices_it_says_so_and_waits(world):
    daemon = Daemon(world, config="").ready()
    assert daemon.log.until("no device is named")
    assert daemon.samples()["dnsguard_up"] == 0
    assert daemon.get("/healthz")[0].status == 503
    world.cli("attach", "guarded")
    assert daemon.samples()["dnsguard_up"] == 1
    assert daemon.get("/healthz")[1] == "ok\n"


def test_missing_device_is_refused(world):
    status, log = Daemon(world, "--interface", "nowhere").fails()
    assert status in (1, 3) and "nowhere" in log and log.count("\n") == 1
    assert nothing_pinned(world)


def test_second_device_fails_first_is_detached_again(world):
    status, log = Daemon(world, "--interface", "guarded", "--interface", "nowhere").fails()
    assert status in (1, 3) and "guarded: detached again" in log
    assert nothing_pinned(world)
    shown = world.inside.ip("-d", "link", "show", "guarded").stdout
    assert "xdp" not in shown


def test_second_device_fails_one_adopted_stays(world):
    Daemon(world, "--interface", "guarded").ready().stop()
    link = world.link()
    status, _ = Daemon(world, "--interface", "guarded", "--interface", "nowhere").fails()
    assert status in (1, 3)
    assert world.link() == link


def test_another_mode_is_refused_with_the_way_to_it(world):
    world.cli("attach", "guarded")
    link = world.link()
    status, log = Daemon(world, config="interfaces: [{name: guarded, mode: generic}]\n").fails()
    assert status == 1 and "dnsguard detach guarded" in log
    assert world.link() == link
    assert Daemon(world, config="interfaces: [{name: guarded, mode: native}]\n").ready()


def test_foreign_program_is_refused(world):
    """Another owner's program stays where it is."""
    stranger = DAEMON.parent / "tests" / "loader" / "holder"
    subprocess.run(world.inside.enter(stranger, "guarded", "netlink"), stdin=subprocess.DEVNULL, check=True)
    status, log = Daemon(world, "--interface", "guarded").fails()
    assert status in (1, 3) and "guarded" in log
    assert "xdp" in world.inside.ip("-d", "link", "show", "guarded").stdout
    assert nothing_pinned(world)


def test_missing_bpffs_is_refused_with_the_mending_command(world):
    status, log = Daemon(world, "--interface", "guarded", "--bpffs", f"{world.dir}/none").fails()
    assert status in (1, 3) and f"{world.dir}/none" in log and "mount" in log


@pytest.mark.parametrize("missing", ["bpf", "net_admin", "perfmon"])
def test_missing_capability_is_refused(world, missing):
    argv = world.inside.enter("setpriv", f"--bounding-set=-{missing}", DAEMON, "--bpffs", world.bpffs, "--interface",
                              "guarded")
    done = subprocess.run(argv, text=True, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1 and f"CAP_{missing.upper()} is missing" in done.stderr
    assert nothing_pinned(world)


def capabilities(pid):
    with open(f"/proc/{pid}/status") as file:
        rows = dict(line.split(":\t") for line in file if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in rows.items()}


@pytest.mark.parametrize("wrap", [(), SANDBOX], ids=["root", "sandboxed"])
def test_capabilities_are_given_up(world, wrap):
    held = capabilities(Daemon(world, "--interface", "guarded", wrap=wrap).ready().process.pid)
    assert held["CapEff"] == CAP_NET_ADMIN | CAP_BPF
    assert held["CapPrm"] == held["CapBnd"] == held["CapEff"] | CAP_PERFMON | LENT
    assert held["CapInh"] == held["CapAmb"] == 0


def test_watchdog_is_fed(world):
    daemon = Daemon(world, "--interface", "guarded", env={"WATCHDOG_USEC": "100000"}).ready()
    assert daemon.notify.until("WATCHDOG=1")
    assert daemon.notify.until("WATCHDOG=1")


def test_journald_gets_priorities(world):
    status, log = Daemon(world, "--interface", "nowhere", env={"JOURNAL_STREAM": "8:1"}).fails()
    assert status in (1, 3) and log.startswith("<3>")
    assert os.environ.get("JOURNAL_STREAM") is None or "<3>" in log
