"""The configuration file as people meet it: --check-config, its messages, and the file we ship."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from guarded import BUILD, CLI, DAEMON, ROOT, run

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
    assert re.search(r"^mode: observe\b", SHIPPED.read_text(), re.MULTILINE)
    assert run(DAEMON, "--check-config", "--config", SHIPPED).returncode == 0


def test_shipped_file_is_what_the_table_says():
    generated = run(BUILD / "dnsguard-docs", "dnsguard.yaml").stdout
    assert SHIPPED.read_text() == generated, "the table of keys has changed; write the file anew with: make documents"


def uncommented(text):
    """The examples switched on: "#key:" and "#  key:" lose the hash, prose has one blank behind it or three."""
    text = text.replace("interfaces: []", "interfaces:")
    lines = (line for line in text.splitlines() if "cookie-secret-file" not in line)  # excludes cookie-secret
    return "\n".join(re.sub(r"^#(?=(  )*(- |[a-z0-9-]+:))", "", line) for line in lines)


def shown(*args):
    return {row["key"]: row for row in json.loads(run(CLI, "config", "show", "--json", *args).stdout)["keys"]}


def test_shipped_file_shows_every_key_at_its_default(tmp_path):
    """With every "#" taken away each key comes from the file, and has the value that it has without."""
    path = tmp_path / "c.yaml"
    path.write_text(uncommented(SHIPPED.read_text()))
    keys, defaults = shown(path), shown("--defaults")
    assert len(keys) > 40 and set(keys) == set(defaults)
    silent = {key for key, row in keys.items() if row["source"] == "default"}
    assert silent == {"answers.cookie-secret-file"}
    differ = {key for key in keys if keys[key]["value"] != defaults[key]["value"]}
    examples = {key for key in differ if defaults[key]["value"] is None}  # a file's path, a secret
    assert differ - examples == {"mode", "interfaces"}


def test_parts_are_read_over_the_file(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-a.yaml").write_text("limits: {slip: 3}\n")
    path, done = check(tmp_path, "limits: {slip: 1, rate-limit: 9}\n")
    assert (done.returncode, done.stderr) == (0, "")
    keys = shown(path)
    assert (keys["limits.slip"]["value"], keys["limits.slip"]["source"]) == (3, f"{tmp_path}/conf.d/10-a.yaml:1")
    assert (keys["limits.rate-limit"]["value"], keys["limits.rate-limit"]["source"]) == (9, f"{path}:1")
    (tmp_path / "conf.d" / "20-b.yaml").write_text("limits:\n  slipp: 3\n")
    done = check(tmp_path, "")[1]
    assert done.returncode == 2
    assert f'{tmp_path}/conf.d/20-b.yaml:2:3: unknown key "limits.slipp"; the nearest known key is "limits.slip"' in done.stderr


def test_check_names_every_file_and_passes_the_verdict_on(tmp_path):
    path, _ = check(tmp_path, "limits: {slip: 1}\n")
    assert run(CLI, "config", "check", path).stdout == f"{path} is good\n"
    path.write_text("limits: {slip: 1, slip: 2}\n")
    done = run(CLI, "config", "check", path, check=False)
    assert (done.returncode, done.stdout) == (2, "") and f"{path}:1:19: slip: given twice" in done.stderr


def test_a_part_with_an_ending_that_is_not_read_is_told(tmp_path):
    path = tmp_path / "dnsguard.yaml"
    path.write_text("mode: observe\n")
    (tmp_path / "conf.d").mkdir()
    for name in ("site.yml", ".site.yml", "site.yaml.dpkg-old", "site.yaml~"):
        (tmp_path / "conf.d" / name).write_text("nonsense\n")
    done = run(CLI, "config", "check", path)
    assert done.stdout == f"{path} is good\n"
    assert done.stderr == f"dnsguard: {tmp_path}/conf.d/site.yml is not read: rename it to end in .yaml\n"
