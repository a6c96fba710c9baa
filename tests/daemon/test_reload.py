"""`dnsguard reload` and `config show` beside a daemon: what would change, who asked, what became of it."""

import json
import signal

from guarded import Daemon

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
    daemon.log.until(r"configuration: answers\.cookie-secret: another one")
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
    start(world, "--observe")
    world.config("mode: enforce\n" + FILE.format(slip=9, rate=50))
    assert world.cli("reload", "--dry-run").stdout == "limits.slip: 7 -> 9\n"


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
