"""The checks of the host, each made to fail: by a system that is painted, by rights that are missing, by a directory."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from guarded import CLI, PATIENCE, ROOT, run, wait_for

HOST = ("kernel", "btf", "jit", "lockdown", "capabilities", "bpffs", "load")
HEALTHY = {"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n", "sys/kernel/btf/vmlinux": "",
           "proc/sys/net/core/bpf_jit_enable": "1\n", "sys/kernel/security/lockdown": "[none] integrity confidentiality\n"}


@pytest.fixture
def painted(tmp_path):
    """A root directory with /proc and /sys as told."""
    def paint(**files):
        for name, text in {**HEALTHY, **{key.replace("__", "/"): value for key, value in files.items()}}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text)
        return tmp_path

    return paint


def test_a_healthy_host_passes(room, painted):
    found = room.doctor(root=painted())
    for check in HOST:
        found.passes(check)
    assert "6.1.0" in found["kernel"][1]


@pytest.mark.parametrize("check, health, file, text, said, mend", [
    ("kernel", "FAIL", "proc/sys/kernel/osrelease", "5.10.0-28-amd64\n", "5.10.0", "apt install linux-image-amd64"),
    ("kernel", "WARN", "proc/sys/kernel/osrelease", "plan9\n", "cannot be read", "uname -r"),
    ("btf", "FAIL", "sys/kernel/btf/vmlinux", None, "No such file", "linux-image-amd64"),
    ("jit", "FAIL", "proc/sys/net/core/bpf_jit_enable", "0\n", "interpreted", "sysctl -w net.core.bpf_jit_enable=1"),
    ("lockdown", "WARN", "sys/kernel/security/lockdown", "none integrity [confidentiality]\n", "may not be counted",
     "lockdown=integrity"),
])
def test_what_is_wrong_with_the_kernel(room, painted, check, health, file, text, said, mend):
    found = room.doctor(root=painted(**{file: text}))
    found.is_ill(check, health, said, mend)
    assert found.done.returncode == (health == "FAIL" or found.counts[2] > 0)


def test_missing_rights_are_named(room):
    found = room.doctor(wrap=("setpriv", "--bounding-set=-all,+net_admin,+net_raw"))
    found.is_ill("capabilities", "FAIL", "CAP_BPF CAP_PERFMON", "sudo")
    found.is_ill("load", "WARN", "not tried: for that, CAP_BPF CAP_PERFMON are needed", "sudo")
    assert found.done.returncode == 1


def test_a_kernel_that_refuses(room):
    """In a user namespace, as in a container, all rights are there, and bpf(2) is refused all the same."""
    found = room.doctor(wrap=("unshare", "--user", "--map-root-user"))
    found.passes("capabilities")
    found.is_ill("load", "FAIL", "the kernel refuses the program: bpf(2) is not permitted here", "in a container")


def test_who_may_not_look_is_told_so(room):
    """Nothing is called missing that only cannot be seen. Nobody has no way into a build below a home directory."""
    room.attach()
    room.bpffs.chmod(0o700)
    shutil.copy(CLI, f"{room.dir}/dnsguard")
    os.chmod(room.dir, 0o755)
    found = room.doctor(wrap=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"), program=f"{room.dir}/dnsguard")
    found.is_ill("counting", "WARN", "cannot be told without root", "sudo dnsguard doctor")
    found.is_ill("owner", "WARN", "cannot be told without root", "sudo dnsguard doctor guarded")
    found.is_ill("clients", "WARN", "cannot be told without root", "sudo dnsguard doctor guarded")


def test_a_directory_is_no_bpffs(room, tmp_path):
    """What is printed mends it, here in a mount namespace that goes with the doctor."""
    for bpffs, said, mend in ((tmp_path, "not on a bpf filesystem", f"mount -t bpf bpf {tmp_path}"),
                              (tmp_path / "no", "No such file", f"mkdir -p {tmp_path}/no && mount")):
        found = room.doctor(bpffs=bpffs)
        found.is_ill("bpffs", "FAIL", said, mend)
        room.doctor(bpffs=bpffs, wrap=("unshare", "-m", "sh", "-ec", f'{found["bpffs"][2]}; exec "$@"', "sh")).passes("bpffs")


def test_counting_is_said_to_run_or_not(room):
    room.doctor().is_ill("counting", "WARN", "nothing is guarded yet", "dnsguard attach")
    room.attach()
    room.doctor().passes("counting")
    (room.bpffs / "dnsguard/progs/tcpstate").unlink()
    found = room.doctor()
    found.is_ill("counting", "WARN", "refused to count", "dnsguard attach IFACE")
    room.cli(*found["counting"][2].split(": dnsguard ")[1].replace("IFACE", "guarded").split())
    room.doctor().passes("counting")


def test_for_people_each_line_has_its_mending(room):
    done = run(*room.inside.enter(CLI, "--bpffs", room.bpffs, "doctor", "--sample", "1s"), check=False)
    lines = done.stdout.splitlines()
    ill = [i for i, line in enumerate(lines) if line.startswith(("WARN", "FAIL"))]
    assert ill and all(lines[i + 1].lstrip().startswith("-> ") for i in ill)
    assert done.returncode == 1 and "failed" in lines[-1]


def test_a_device_that_is_not_there(room):
    done = run(*room.inside.enter(CLI, "--bpffs", room.bpffs, "doctor", "nowhere"), check=False)
    assert done.returncode == 4 and "nowhere" in done.stderr and done.stderr.count("\n") == 1


def packet_sockets(room):
    return run(*room.inside.enter("cat", "/proc/net/packet")).stdout.splitlines()[1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_interrupted_while_it_looks_at_traffic(room, number):
    """It ends by that signal, says nothing half, and leaves no socket and no pin behind."""
    child = subprocess.Popen(room.inside.enter(CLI, "--bpffs", room.bpffs, "doctor", "guarded", "--sample", "60s", "--json"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: packet_sockets(room))
    child.send_signal(number)
    assert child.communicate(timeout=PATIENCE / 2) == (b"", b"") and child.returncode == -number
    assert not packet_sockets(room) and not list(room.bpffs.iterdir())


def test_each_check_is_shown_ill_by_a_test(room):
    """Here, by the table of unit tests, or by the guests with their real devices."""
    room.listen()
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    table = (ROOT / "tests/unit/test_doctor.c").read_text()
    guests = (ROOT / "tests/kernels/nics.sh").read_text()
    ill = set(re.findall(r'\("(\w+)", "(?:WARN|FAIL)", ', here)) | set(re.findall(r"finds (\w+) \S+ (?:WARN|FAIL)", guests))
    ill |= {check for check, health in re.findall(r"dg_check_(\w+),.*?DG_HEALTH_(\w+)", table, re.DOTALL) if health != "PASS"}
    checks = {check for _, check in room.doctor().rows}
    assert len(checks) == 26 and checks - ill == set()
