"""The configuration file as people meet it: --check-config, its messages, and the file we ship."""

import re
import subprocess
from pathlib import Path

import pytest

from guarded import DAEMON, ROOT, run

SHIPPED = ROOT / "deploy" / "dnsguard.yaml"


def check(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path, subprocess.run([DAEMON, "--check-config", "--config", path], text=True, capture_output=True)


def test_good_file(tmp_path):
    path, done = check(tmp_path, "mode: observe\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path} is good\n", "")


@pytest.mark.parametrize("text, place, says", [
    ("limits:\n  rate-limt: 5\n", "2:3", 'unknown key "limits.rate-limt"; the nearest known key is "limits.rate-limit"'),
    ("limits:\n  slip: often\n", "2:9", 'limits.slip: "often" is not allowed here; write a whole number from 0 to 1000'),
    ("limits:\n  slip: 1001\n", "2:9", '"1001"'),
    ("interfaces:\n  - {name: eth0, mode: fast}\n", "2:24", "write auto, native or generic"),
    ("mode: [observe]\n", "1:7", "one value is wanted here"),
    ("mode: {\n", "2:1", "not YAML"),
    ("lists:\n  refersh: 6h\n", "2:3", 'unknown key "lists.refersh"; the nearest known key is "lists.refresh"'),
    ("lists: {refresh: 10s}\n", "1:18", '"10s" is not allowed here; write a duration from 5m to 1w'),
    ("lists: {notify: ['policy=here:53']}\n", "1:18", "write LIST=ADDRESS:PORT as in policy=192.0.2.1:5300"),
    ("lists: {notify: ['a=[::1]:53', 'b=[::1]:53']}\n", "1:32", "names a list or an address a second time"),
], ids=["unknown-key", "no-number", "out-of-range", "in-a-list", "wrong-type", "no-yaml",
        "unknown-list-key", "too-often", "no-address", "address-twice"])
def test_bad_file_names_place_and_remedy(tmp_path, text, place, says):
    path, done = check(tmp_path, text)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{path}:{place}: " in done.stderr and says in done.stderr
    assert done.stderr.count("\n") == 1


def test_explicit_file_that_is_missing(tmp_path):
    done = subprocess.run([DAEMON, "--config", str(tmp_path / "none.yaml")], text=True, capture_output=True)
    assert done.returncode == 1
    assert "none.yaml: cannot read: No such file or directory" in done.stderr


@pytest.mark.parametrize("args, says", [
    (["--listen", "everywhere"], '--listen: "everywhere" is not allowed here'),
    (["--interface", "a/b"], '--interface: "a/b" is not allowed here'),
    (["eth0"], '"eth0" is not understood; a device is named with --interface'),
    (["--nonsense"], "usage: dnsguardd"),
], ids=["listen", "interface", "word", "option"])
def test_bad_command_line(tmp_path, args, says):
    done = subprocess.run([DAEMON, "--check-config", "--config", check(tmp_path, "")[0], *args], text=True, capture_output=True)
    assert done.returncode == 2 and says in done.stderr


def test_shipped_file_observes():
    assert re.search(r"^mode: observe$", SHIPPED.read_text(), re.MULTILINE)
    assert run(DAEMON, "--check-config", "--config", SHIPPED).returncode == 0


def uncommented(text):
    """The examples switched on: "#key:" and "#  key:" lose the hash, prose has one blank behind it or three."""
    text = text.replace("interfaces: []", "interfaces:")
    lines = (line for line in text.splitlines() if "cookie-secret-file" not in line)  # excludes cookie-secret
    return "\n".join(re.sub(r"^#(?=(  )*(- |[a-z-]+:))", "", line) for line in lines)


def documented(text):
    """The keys of a file, as paths."""
    path, keys = [], set()
    for line in text.splitlines():
        if match := re.match(r"^( *)([a-z-]+):", line):
            path[len(match[1]) // 2:] = [match[2]]
            keys.add(".".join(path))
    return keys


def test_shipped_file_shows_every_key_at_its_default(tmp_path):
    text = uncommented(SHIPPED.read_text())
    done = check(tmp_path, text)[1]
    assert done.returncode == 0, done.stderr
    keys = re.findall(r"^([a-z][a-z.-]*)$", run(DAEMON, "--config-keys").stdout, re.MULTILINE)
    assert len(keys) > 20
    assert set(keys) - documented(text) == {"answers.cookie-secret-file"}
    assert "cookie-secret-file:" in SHIPPED.read_text()


def test_shipped_file_tells_the_truth_about_defaults():
    told = dict(re.findall(r"^\s*([a-z-]+): \"?([\w.:]+?)\"?(?:\s+#.*)?$",
                           uncommented(SHIPPED.read_text()), re.MULTILINE))
    table = dict(re.findall(r"^(?:[a-z-]+\.)*([a-z-]+)\n.*\n.*; default: (.*)$", run(DAEMON, "--config-keys").stdout,
                            re.MULTILINE))
    once = [k for k in told if k in table and k not in ("mode", "rate-limit", "instant-limit", "cookie-secret", "max-memory")]
    assert {"slip", "memory", "negative-ttl", "budget", "listen", "refresh", "spread"} <= set(once)
    assert {k: told[k] for k in once} == {k: table[k] for k in once}
