"""The unit file, as systemd itself reads it: every key known, every value understood, the program where it says."""

import re
import shutil
import subprocess

import pytest

from guarded import DAEMON, ROOT, SANDBOX

UNIT = ROOT / "deploy" / "dnsguardd.service"
INSTALLED = "/usr/sbin/dnsguardd"
pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: package systemd")


@pytest.fixture
def verify(tmp_path):
    """Verifies the unit with the built program for the installed one; returns the complaints."""
    def run(change=lambda text: text):
        text = UNIT.read_text()
        assert f"ExecStart={INSTALLED} " in text
        unit = tmp_path / UNIT.name
        unit.write_text(change(text.replace(INSTALLED, str(DAEMON))))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True, capture_output=True)
        return done.stderr + ("" if done.returncode == 0 else f"exit status {done.returncode}")

    return run


def test_systemd_has_nothing_to_complain_about(verify):
    assert verify() == ""


@pytest.mark.parametrize("old, new, said", [
    ("RestartSec=", "RestartSecs=", "Unknown key"),
    ("MemoryDenyWriteExecute=yes", "MemoryDenyWriteExecute=maybe", "parse boolean"),
    (str(DAEMON), "/nowhere/dnsguardd", "not executable"),
    ("SystemCallFilter=@system-service", "SystemCallFilter=@system-servant", "@system-servant"),
])
def test_it_would_complain(verify, old, new, said):
    """Twins: what the check is worth."""
    assert said in verify(lambda text: text.replace(old, new))


def test_the_service_is_confined():
    """systemd's own mark for what a service could still do, 0 (nothing) to 10; above 4 it asks for more."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=40", UNIT], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr
    assert float(re.search(r"Overall exposure level.*: ([0-9.]+)", done.stdout)[1]) <= 4


def test_the_other_tests_hold_what_the_unit_leaves():
    keys = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    tested = {f"CAP_{word.upper()}" for word in re.findall(r"\+(\w+)", " ".join(SANDBOX))}
    assert set(keys["CapabilityBoundingSet"].split()) == tested
