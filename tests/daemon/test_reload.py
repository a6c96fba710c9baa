"""`dnsguard reload` and `config show` beside a daemon: what would change, who asked, what became of it."""

import json
import os
import re
import signal
import socket
from pathlib import Path

from guarded import CLI, PATIENCE, Daemon, run

FILE = "interfaces: [guarded]\nlimits: {{slip: {slip}, rate-limit: {rate}}}\n"


def start(world, *args, slip=7, rate=50):
    return Daemon(world, *args, config=FILE.format(slip=slip, rate=rate)).ready()


def test_reload_shows_applies_and_logs_who(world):
    daemon = start(world)
    world.config(FILE.format(slip=9, rate=50) + "clients: [192.0.2.0/24]\n")
    changes = ["+ clients[]: 192.0.2.0/24", "limits.slip: 7 -> 9"]
    dry = world.cli("reload", "--dry-run")
    assert dry.stdout.splitlines() == changes and world.settings()["slip"] == 7
    done = world.cli("reload")
    assert done.stdout.splitlines() == changes + ["applied"] and world.settings()["slip"] == 9
    daemon.log.until(r"configuration: limits\.slip: 7 -> 9")
    daemon.log.until(r"configuration applied, by .*(uid \d+).*: 2 changes")
    assert world.cli("reload").stdout == "nothing changes\napplied\n"
    world.config(FILE.format(slip=9, rate=51))
    asked = json.loads(world.cli("reload", "--json").stdout)
    assert asked == {"schema": 1, "applied": True, "changes": ["- clients[]: 192.0.2.0/24", "limits.rate-limit: 50 -> 51"]}


def test_a_signal_alone_logs_the_changes_without_a_name(world):
    daemon = start(world)
    world.config(FILE.format(slip=8, rate=50) + "answers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\n")
    daemon.kill(signal.SIGHUP)
    daemon.log.until(r"configuration: \+ answers\.cookie-secret: \(hidden\)")
    daemon.log.until(r"configuration applied: 2 changes")
    world.config(FILE.format(slip=8, rate=50) + "answers: {cookie-secret: 100102030405060708090a0b0c0d0e0f}\n")
    daemon.kill(signal.SIGHUP)
    daemon.log.until(r"configuration: answers\.cookie-secret: changed \(hidden\)")
    daemon.log.until(r"configuration applied: 1 change$")
    assert "0102030405" not in "".join(daemon.log.seen)


def test_what_cannot_be_read_is_not_put_before_the_daemon(world):
    daemon = start(world)
    path = world.config("limits: {slop: 9}\n")
    refused = world.cli("reload", check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f'{path}:1:10: unknown key "limits.slop"' in refused.stderr
    assert daemon.samples()["dnsguard_config_last_reload_successful"] == 1


def test_what_the_daemon_refuses_is_told(world):
    start(world)
    world.config("interfaces: [guarded, nowhere]\nlimits: {slip: 3}\n")
    refused = world.cli("reload", check=False)
    assert refused.returncode == 1 and world.settings()["slip"] == 7
    assert "dnsguardd refused it, nothing changed: " in refused.stderr and "nowhere" in refused.stderr
    world.config(FILE.format(slip=7, rate=50))
    assert world.cli("reload").stdout == "nothing changes\napplied\n"


def test_what_the_command_line_decides_is_no_change(world):
    start(world, "--observe", "--listen", "[::1]:10531", "--interface", "guarded")
    world.config("mode: enforce\n" + FILE.format(slip=9, rate=50))
    assert world.cli("reload", "--dry-run").stdout == "limits.slip: 7 -> 9\n"
    shown = {row["key"]: row for row in json.loads(world.cli("config", "show", "--json").stdout)["keys"]}
    assert (shown["mode"]["value"], shown["mode"]["source"]) == ("observe", "command line")
    assert (shown["metrics.listen"]["value"], shown["metrics.listen"]["source"]) == ("[::1]:10531", "command line")
    assert (shown["interfaces"]["value"], shown["interfaces"]["source"]) == (["{name: guarded}"], "command line")


def test_reload_needs_a_daemon(world):
    daemon = start(world)
    daemon.stop(signal.SIGKILL)  # its pid file stays behind
    refused = world.cli("reload", check=False)
    assert refused.returncode == 3 and "no dnsguardd runs for" in refused.stderr


def test_show_names_files_defaults_and_what_was_set_live(world):
    start(world)
    world.cli("limit", "set", "--slip", "4", "--instant-limit", "300")
    shown = {row["key"]: row for row in json.loads(world.cli("config", "show", "--json").stdout)["keys"]}
    place = f"{world.dir}/config.yaml:2"
    assert (shown["limits.rate-limit"]["value"], shown["limits.rate-limit"]["source"]) == (50, place)
    assert (shown["limits.slip"]["value"], shown["limits.slip"]["source"]) == (4, f"live, until a reload takes {place}")
    assert (shown["limits.instant-limit"]["value"], shown["limits.instant-limit"]["source"]) == (300, "live")
    assert (shown["answers.budget"]["value"], shown["answers.budget"]["source"]) == (200000, "default")
    somebody = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLI, "--bpffs", world.bpffs, "config", "show", check=False)
    assert somebody.stderr == "dnsguard: what was set live is not shown: for that, run it as root, with sudo\n"


def saved(world):
    return Path(world.dir, "conf.d", "50-cli.yaml")


def test_what_is_saved_lasts(world):
    daemon = start(world)
    told = world.cli("limit", "set", "--slip", "4", "--mode", "observe", "--save")
    assert told.stderr == ""
    text = saved(world).read_text()
    assert re.search(r"^limits:\n  mode: observe # \d{4}-\d\d-\d\d \d\d:\d\dZ, .*\(uid \d+\).*\n  slip: 4 # ", text, re.MULTILINE)
    saved(world).chmod(0o640)
    world.cli("limit", "set", "--syn-rate", "9", "--slip", "5", "--save")
    assert saved(world).stat().st_mode & 0o777 == 0o640
    values = [line.split(" # ")[0] for line in saved(world).read_text().splitlines() if not line.startswith("#")]
    assert values == ["limits:", "  mode: observe", "  slip: 5", "  syn:", "    rate-limit: 9"]
    mode_line = next(line for line in text.splitlines() if "mode:" in line)
    assert mode_line in saved(world).read_text()  # who wrote a value stays beside it
    before = world.settings()
    assert "limits.mode: enforce -> observe" in world.cli("reload").stdout  # the daemon learns what is live already
    daemon.log.until("configuration applied")
    assert world.settings() == before and before["slip"] == 5


def test_what_is_not_saved_says_who_will_win(world):
    start(world)
    told = world.cli("limit", "set", "--slip", "4")
    assert f"limits.slip is also given in {world.dir}/config.yaml:2, which wins at the next reload; --save" in told.stderr
    Path(world.dir, "conf.d").mkdir()
    Path(world.dir, "conf.d", "90-site.yaml").write_text("limits: {slip: 6}\n")
    told = world.cli("limit", "set", "--slip", "5", "--save")
    assert f"limits.slip is also given in {world.dir}/conf.d/90-site.yaml:1, which wins" in told.stderr


def test_what_cannot_be_saved_is_not_done_either(world):
    start(world)
    before = world.settings()
    refused = world.cli("limit", "set", "--rate-limit", "0", "--save", check=False)
    assert refused.returncode == 2 and 'limits.rate-limit cannot be saved: "0" is not allowed here' in refused.stderr
    Path(world.dir, "conf.d").mkdir()
    secret = "answers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\n"
    saved(world).write_text(secret)
    refused = world.cli("limit", "set", "--slip", "4", "--save", check=False)
    assert refused.returncode == 1 and "answers.cookie-secret holds a secret, which is not written back" in refused.stderr
    assert saved(world).read_text() == secret and world.settings() == before


def test_the_system_log_is_told_who_changed_what(world):
    """In a mount namespace with a /dev of its own, whose log is ours."""
    start(world)
    os.mkdir(f"{world.dir}/dev")
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(f"{world.dir}/dev/log")
    log.settimeout(PATIENCE)
    argv = world.inside.enter("unshare", "-m", "sh", "-c", f'mount --bind {world.dir}/dev /dev; exec "$@"', "sh",
                              CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state")
    run(*argv, "limit", "show")  # changes nothing, is not logged
    run(*argv, "limit", "set", "--slip", "4")
    assert re.search(r"dnsguard\[\d+\]: limit set --slip 4, by .*\(uid \d+\)", log.recv(2048).decode())
    run(*argv, "block", "ads.example", "--reason", "se cret")
    assert re.search(r'dnsguard\[\d+\]: block "ads.example" --reason, by ', log.recv(2048).decode())
    log.close()
