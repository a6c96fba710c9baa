"""The unit file, as systemd itself reads it: every key known, every value understood, the program where it says."""

import os
import re
import shutil
import subprocess

import pytest

from guarded import BUILD, DAEMON, ROOT, SANDBOX

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


@pytest.fixture
def exposure(tmp_path):
    """systemd's own mark for what a service of that text could still do, 0 (nothing) to 10."""
    def mark(text):
        (tmp_path / UNIT.name).write_text(text)
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", tmp_path / UNIT.name], text=True,
                              capture_output=True, check=True)
        return float(re.search(r"Overall exposure level.*: ([0-9.]+)", done.stdout)[1])

    return mark


def test_the_service_is_confined(exposure):
    assert exposure(UNIT.read_text()) <= 3.0


def test_the_manual_pages_it_names_are_there(tmp_path):
    """systemd looks them up with man, which is not on every machine that builds: one here that knows the built pages alone."""
    named = re.search(r"^Documentation=(.*)$", UNIT.read_text(), re.MULTILINE)[1].split()
    built = {f"man:{page.stem}({page.suffix[1:]})" for page in (BUILD / "man").iterdir()}
    assert set(named) == built
    man = tmp_path / "man"
    man.write_text('#!/bin/sh\n# man -- SECTION PAGE\nshift "$(($# - 2))"\n'
                   f'test -e "{BUILD / "man"}/$2.$1" || {{ echo "No manual entry for $2 in section $1" >&2; exit 16; }}\n')
    man.chmod(0o755)
    unit = tmp_path / UNIT.name

    def verify(text):
        unit.write_text(text.replace(INSTALLED, str(DAEMON)))
        done = subprocess.run(["systemd-analyze", "verify", "--man=yes", unit], text=True, capture_output=True,
                              env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        return done.stderr

    assert verify(UNIT.read_text()) == ""
    assert "dnsguard.yml" in verify(UNIT.read_text().replace("man:dnsguard.yaml(5)", "man:dnsguard.yml(5)"))


def test_the_mark_is_worth_something(exposure):
    """Twin: without the sandbox it is far above."""
    assert exposure(re.sub(r"(?m)^(Restrict|Protect|Private|Capability|SystemCall).*$", "", UNIT.read_text())) > 6


def test_the_other_tests_hold_what_the_unit_leaves():
    keys = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    tested = {f"CAP_{word.upper()}" for word in re.findall(r"\+(\w+)", " ".join(SANDBOX))}
    assert set(keys["CapabilityBoundingSet"].split()) == tested
