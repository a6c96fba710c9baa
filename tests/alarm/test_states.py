"""Real resolvers fill and empty again; states go up and down in order, and every receiver hears of each."""

import base64
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime

import pytest
import yaml
from callers import BIND_WAITS, Bind, Dnsdist, Recursor, Unbound, begin, hang_up, still_open
from guarded import CLI, PATIENCE, ROOT, SERVER, Daemon, run, wait_for
from receivers import AM_PORT, Alertmanager

ROW = f'{{listener="{SERVER}:53"}}'
OK, WARNING, CRITICAL, EXHAUSTED = range(4)
STATES = ("ok", "warning", "critical", "exhausted")
SECRET = "s3cret"
FILLING, NEARLY, FULL = "DnsguardTcpFilling", "DnsguardTcpNearlyFull", "DnsguardTcpExhausted"
# Short, so that a test need not be long; no forecast, so that only what is so counts.
RULES = """
tcp:
  warning: {at: 60%, full-within: 0s, hold: 1s}
  critical: {at: 80%, full-within: 0s, hold: 1s}
  exhausted: {hold: 1s}
  clear: {hold: 3s}
"""


def state(daemon):
    return daemon.samples().get(f"dnsguard_tcp_alert_state{ROW}")


class Guard(Daemon):
    def __init__(self, room, receiver, more="", rules=RULES):
        super().__init__(room, "--interface", "guarded", config=f"""{rules}
alerts:
  log: off
  interval: 1s
  webhook: {receiver.url}/hook
{more}""")
        self.ready()

    def knows_quota(self, quota):
        wait_for(lambda: self.samples().get(f"dnsguard_tcp_quota_connections{ROW}") == quota)


# ---- up and down ----------------------------------------------------------------------------------


def test_bind_fills_and_empties_and_all_receivers_hear_of_it(room, receiver):
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    manager = Alertmanager(room, receiver)
    said = f"{room.dir}/said"
    open(said, "w").close()
    for path in (room.dir, said):
        os.chmod(path, 0o777)  # the command is nobody
    guard = Guard(room, receiver, f"""
  alertmanager: http://127.0.0.1:9093/
  command: [/bin/sh, -c, 'echo "$DNSGUARD_ALERT $DNSGUARD_STATUS $1 $(id -un)" >>{said}', sh, "an argument"]
""")
    guard.knows_quota(20)
    assert state(guard) == OK
    assert checked(room)[0] == 0
    callers = room.call(13)
    receiver.hears((FILLING, "firing"))
    assert state(guard) == WARNING
    wait_for(lambda: checked(room) == (1, f"DNSGUARD WARNING - TCP quota of {SERVER}:53: warning\n"))
    callers += room.call(4)
    receiver.hears((FILLING, "firing"), (NEARLY, "firing"))
    assert state(guard) == CRITICAL
    callers += room.call(10)
    receiver.hears((FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing"))
    assert state(guard) == EXHAUSTED
    wait_for(lambda: checked(room) == (2, f"DNSGUARD CRITICAL - TCP quota of {SERVER}:53: exhausted\n"))
    wait_for(lambda: set(manager.alerts()) == {FILLING, NEARLY, FULL})
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    lines = [f"{name} {status} an argument nobody" for name, status in rise]
    # Who has not heard of it is not told of its end either.
    wait_for(lambda: set(receiver.told("/from-am")) == set(rise) and open(said).read().splitlines() == lines)
    for name, alert in manager.alerts().items():
        assert alert["labels"] == labels_of_rule(name) | {"instance": socket.gethostname(), "listener": f"{SERVER}:53"}
    hang_up(callers)
    fall = [(FULL, "resolved"), (NEARLY, "resolved"), (FILLING, "resolved")]
    receiver.hears(*rise, *fall)
    assert state(guard) == OK
    wait_for(lambda: sorted(set(receiver.told("/from-am"))) == sorted(rise + fall))
    wait_for(lambda: open(said).read().splitlines() ==
             [f"{name} {status} an argument nobody" for name, status in rise + fall])


@pytest.mark.parametrize("resolver", [
    lambda room: Unbound(room, "incoming-num-tcp: 20"),
    lambda room: Dnsdist(room, f'setLocal("{SERVER}:53", {{ maxConcurrentTCPConnections = 20 }})'),
], ids=["Unbound", "dnsdist"])
def test_one_that_sends_clients_away_is_exhausted_by_those_who_come_again(room, receiver, resolver):
    """Unbound closes idle clients early when it is full, dnsdist whoever is too many: neither has a queue that only grows."""
    guard = Guard(room, receiver)
    resolver(room)
    guard.knows_quota(20)
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    done = threading.Event()

    def come_again():
        callers = []
        while not done.is_set():
            callers += begin(room.call(60 - len(callers)))
            time.sleep(0.05)
            callers = [sock for sock in callers if still_open(sock)]
        hang_up(callers)

    thread = threading.Thread(target=come_again)
    thread.start()
    try:
        receiver.hears(*rise)
    finally:
        done.set()
        thread.join()
    receiver.hears(*rise, (FULL, "resolved"), (NEARLY, "resolved"), (FILLING, "resolved"))
    assert state(guard) == OK


def knock(room, port):
    """A connection that is asked for, and comes about should there be room."""
    sock = room.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex((SERVER, port))
    room.sockets.append(sock)
    return sock


def test_bind_whose_slots_are_taken_by_dot_is_exhausted(room, receiver):
    """DoT draws on the quota of port 53 and is not counted: by the count there is plenty of room, and nobody is let in."""
    bind = Bind(room, f"tcp-clients 150; {BIND_WAITS} listen-on port 853 tls ephemeral {{ {SERVER}; }};")
    guard = Guard(room, receiver)
    guard.knows_quota(150)
    callers = [knock(room, 853) for _ in range(150)]
    wait_for(lambda: bind.clients()[0] == 150)
    callers += [knock(room, 53) for _ in range(50 * room.listener()["sockets"])]  # fills every queue
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    receiver.hears(*rise)
    assert state(guard) == EXHAUSTED
    assert "slots are taken by what is not counted" in receiver.got[-1][2]["alerts"][0]["annotations"]["description"]
    hang_up(callers)
    receiver.hears(*rise, *((name, "resolved") for name, _ in reversed(rise)))


def test_recursor_fills_and_empties(room, receiver):
    guard = Guard(room, receiver)
    Recursor(room, "max-tcp-clients=10\nmax-tcp-per-client=0\nclient-tcp-timeout=100")
    guard.knows_quota(10)
    callers = begin(room.call(9))
    receiver.hears((FILLING, "firing"), (NEARLY, "firing"))
    callers += begin(room.call(6))
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    receiver.hears(*rise)
    assert state(guard) == EXHAUSTED
    hang_up(callers)
    receiver.hears(*rise, (FULL, "resolved"), (NEARLY, "resolved"), (FILLING, "resolved"))
    assert state(guard) == OK


# ---- flapping, restart, receivers that are away ---------------------------------------------------


def test_a_load_that_flaps_gives_two_messages_a_hold_time_at_most(room, receiver):
    """
    Whichever hold time one looks at, by what the messages say of when it was: how long each is under way is the machine's business.
    And there are messages to count, for now and then the load stays away for one.
    """
    hold = 3
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver, rules=RULES.replace("hold: 1s", "hold: 0s").replace("clear: {hold: 3s}", f"clear: {{hold: {hold}s}}"))
    guard.knows_quota(20)
    for _ in range(3):
        for _ in range(3):
            callers = room.call(14)
            time.sleep(1.1)  # the daemon looks once a second
            hang_up(callers)
            time.sleep(0.9)
        callers = room.call(14)
        wait_for(lambda: receiver.told()[-1:] == [(FILLING, "firing")])
        hang_up(callers)
        wait_for(lambda: receiver.told()[-1:] == [(FILLING, "resolved")])
    alerts = [body["alerts"][0] for _, _, body in receiver.got]
    told = [datetime.fromisoformat(alert["startsAt" if alert["status"] == "firing" else "endsAt"]).timestamp()
            for alert in alerts if alert["labels"]["alertname"] == FILLING]
    assert len(told) >= 6, "it did not flap"
    assert len({(alert["status"], alert["startsAt"]) for alert in alerts}) == len(alerts), "one was told twice"
    windows = [sum(at <= other < at + hold for other in told) for at in told]
    assert max(windows) <= 2, f"{windows} messages within {hold} s of each"


@pytest.mark.parametrize("level, fill, number", [(OK, 5, 9), (WARNING, 13, 15), (CRITICAL, 17, 9), (EXHAUSTED, 27, 9), (EXHAUSTED, 27, 15)],
                         ids=["ok-killed", "warning-stopped", "critical-killed", "exhausted-killed", "exhausted-stopped"])
def test_restart_loses_no_count_and_no_alarm_and_tells_none_twice(room, receiver, number, level, fill):
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver)
    guard.knows_quota(20)
    callers = room.call(fill)
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")][:level]
    wait_for(lambda: sorted(receiver.told()) == sorted(rise))
    wait_for(lambda: listed(room)["listeners"] and listed(room)["listeners"][0]["state"] == STATES[level])
    wait_for(lambda: kept(room)["sinks"][0]["queued"] == 0 and len(kept(room)["alerts"]) == level)
    since = listed(room)["listeners"][0]["since"]
    guard.stop(number)
    callers += room.call(1)  # while nobody looks
    again = Guard(room, receiver)
    wait_for(lambda: state(again) == level)
    assert again.samples()[f"dnsguard_tcp_connections{ROW}"] == fill + 1
    assert listed(room)["listeners"][0]["since"] == since
    assert sorted(receiver.told()) == sorted(rise)
    hang_up(callers)
    wait_for(lambda: state(again) == OK)
    receiver.hears(*receiver.told()[:level], *[(name, "resolved") for name, _ in reversed(rise)])


def test_a_receiver_that_was_away_is_told_after_a_restart_too(room, receiver):
    receiver.answer = 503
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver)
    guard.knows_quota(20)
    room.call(13)
    wait_for(lambda: kept(room)["sinks"][0]["failed"] >= 1)
    sink = listed(room)["sinks"][0]
    assert (sink["delivered"], sink["queued"]) == (0, 1) and "status 503" in sink["last_error"]
    guard.log.until("alerts do not reach webhook .*503")
    guard.stop()
    receiver.answer = 200
    Guard(room, receiver)
    receiver.hears((FILLING, "firing"))
    wait_for(lambda: listed(room)["sinks"][0]["delivered"] == 1)


def test_a_receiver_that_hangs_holds_nobody_up(room, receiver):
    hanging = room.inside.socket(socket.AF_INET, socket.SOCK_STREAM)
    room.sockets.append(hanging)
    hanging.bind(("127.0.0.1", AM_PORT))
    hanging.settimeout(PATIENCE)
    hanging.listen()  # and never says a word
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver, f"  alertmanager: http://me:{SECRET}@127.0.0.1:{AM_PORT}/?token={SECRET}")
    guard.knows_quota(20)
    callers = room.call(13)
    receiver.hears((FILLING, "firing"))
    waiting = hanging.accept()[0]
    room.sockets.append(waiting)
    ended = select.poll()
    ended.register(waiting, select.POLLRDHUP)
    shown = run("ps", "axwweo", "args").stdout
    assert state(guard) == WARNING and not ended.poll(0)  # it still waits for an answer
    assert "dnsguard-notify" in shown and SECRET not in shown
    hang_up(callers)
    receiver.hears((FILLING, "firing"), (FILLING, "resolved"))
    sinks = {sink["sink"].split()[0]: sink for sink in listed(room)["sinks"]}
    assert (sinks["alertmanager"]["delivered"], sinks["alertmanager"]["queued"]) == (0, 1)
    shown = room.cli("alert", "ls").stdout
    assert f"alertmanager 127.0.0.1:{AM_PORT}" in shown
    assert SECRET not in "".join([shown, json.dumps(kept(room)), *guard.log.rest_of()])
    assert guard.stop() == 0


def test_a_receiver_that_is_slow_hears_in_order(room, receiver):
    """It takes its time over the first end, and the other two wait for it."""
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver)
    guard.knows_quota(20)
    callers = room.call(27)
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    receiver.hears(*rise)
    wait_for(lambda: listed(room)["sinks"][0]["delivered"] == len(rise))
    receiver.go.clear()
    hang_up(callers)
    wait_for(lambda: state(guard) == OK)
    receiver.go.set()
    receiver.hears(*rise, (FULL, "resolved"), (NEARLY, "resolved"), (FILLING, "resolved"))


def runs(pid):
    try:
        return "\nState:\tZ" not in open(f"/proc/{pid}/status").read()
    except OSError:
        return False


def test_a_command_that_hangs_ends_with_the_daemon_and_takes_its_children_along(room, receiver):
    pids = f"{room.dir}/pids"
    open(pids, "w").close()
    for path in (room.dir, pids):
        os.chmod(path, 0o777)  # the command is nobody
    guard = Guard(room, receiver, f"  command: [/bin/sh, -c, 'sleep 1000 & echo $$ $! >{pids}; wait']",
                  rules=RULES + f'  quotas: ["{SERVER}:53=10"]\n')
    room.listen()
    room.call(7)
    wait_for(lambda: open(pids).read().endswith("\n"))
    assert guard.stop() == 0
    for pid in open(pids).read().split():
        wait_for(lambda: not runs(pid))


def test_a_reload_tells_a_new_receiver_what_fires_and_the_old_one_nothing(room, receiver):
    """Not even one that has heard and is slow to say so."""
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver)
    guard.knows_quota(20)
    receiver.go.clear()
    room.call(13)
    receiver.hears((FILLING, "firing"))
    text = open(f"{room.dir}/config.yaml").read()
    room.config(text.replace(f"{receiver.url}/hook", f"[{receiver.url}/second, {receiver.url}/hook]"))
    guard.kill(signal.SIGHUP)
    receiver.hears((FILLING, "firing"), path="/second")
    receiver.go.set()
    wait_for(lambda: [sink["delivered"] for sink in kept(room)["sinks"]] == [1, 1])
    receiver.hears((FILLING, "firing"))


def labels_of_rule(name):
    """What Prometheus would say: an Alertmanager takes two alerts for one only if all labels are the same."""
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "dnsguard.rules.yaml").read_text())["groups"]
    return next({"alertname": name, **rule["labels"]} for group in groups for rule in group["rules"] if rule["alert"] == name)


def kept(room, name="alerts"):
    try:
        return json.loads(open(f"{room.dir}/state/{name}.json").read())
    except FileNotFoundError:
        return {"sinks": [{"queued": -1, "failed": 0}], "alerts": [], "listeners": [{"quota_source": ""}]}


def checked(room):
    done = room.cli("status", "--check", check=False)
    return done.returncode, done.stdout


def listed(room):
    return json.loads(room.cli("alert", "ls", "--json", check=False).stdout)


# ---- what the operator says and sees --------------------------------------------------------------


def test_a_configured_quota_counts(room, receiver):
    guard = Guard(room, receiver, rules=RULES + f'  quotas: ["{SERVER}:53=10"]\n  quota: 99\n')
    for words in (["tcp"], ["doctor", "tcp"]):
        assert "is the resolver running, in this network namespace?" in room.cli(*words).stdout
    room.listen()
    guard.knows_quota(10)
    room.call(7)
    receiver.hears((FILLING, "firing"))
    wait_for(lambda: room.listener()["quota"] == 10)
    row = room.listener()
    assert row["quota_source"] == "tcp.quota in our configuration" and row["state"] == "warning"
    assert {"address", "port", "resolver", "connections", "quota", "quota_source", "peak", "accept_queue",
            "accept_queue_max", "new_per_second", "hold_seconds_p50", "sustainable_per_second", "seconds_to_full",
            "state"} <= set(row)


def test_a_quota_that_could_not_be_told_is_asked_for_again_soon(room, receiver):
    """Not when it is time again, which is in an hour."""
    bind = Bind(room, "tcp-clients 20;" + BIND_WAITS)
    away = bind.conf.rename(f"{bind.conf}.away")
    guard = Guard(room, receiver, rules=RULES + "  quota-refresh: 1h\n")
    wait_for(lambda: "named-checkconf does not tell" in kept(room, "pressure")["listeners"][0]["quota_source"])
    away.rename(bind.conf)
    guard.knows_quota(20)


def test_alert_ls_says_when_nobody_is_told(room, receiver):
    Bind(room, "tcp-clients 20;" + BIND_WAITS)
    guard = Guard(room, receiver)
    guard.knows_quota(20)
    room.call(13)
    receiver.hears((FILLING, "firing"))
    wait_for(lambda: listed(room)["alerts"] and listed(room)["alerts"][0]["last_message"])
    done = room.cli("alert", "ls")
    assert FILLING in done.stdout and "firing" in done.stdout and "not running" not in done.stdout
    guard.stop()
    done = room.cli("alert", "ls", check=False)
    assert done.returncode == 3 and "dnsguardd is not running" in done.stdout and FILLING in done.stdout


def test_alert_test_tries_each_receiver(room, receiver):
    config = room.config(f"""
alerts:
  log: off
  webhook: ["{receiver.url}/hook"]
  alertmanager: "{receiver.url}/am"
  command: [/bin/false]
""")
    done = room.cli("alert", "test", "--json", "--config", config, check=False)
    rows = {row["sink"].split()[0]: row for row in json.loads(done.stdout)["sinks"]}
    assert done.returncode == 1
    assert {name: row["delivered"] for name, row in rows.items()} == {"webhook": True, "alertmanager": True,
                                                                        "command": False}
    assert receiver.told() == [("DnsguardTest", "firing")]
    assert sorted(path for _, path, _ in receiver.got) == ["/am/api/v2/alerts", "/hook"]
    receiver.answer = 400
    done = room.cli("alert", "test", "--json", "--config", config, check=False)
    assert all("400" in row["error"] for row in json.loads(done.stdout)["sinks"] if row["sink"] != "command")


def test_alert_test_says_why_and_no_secret(room, receiver):
    receiver.answer = 302
    there = receiver.url.removeprefix("http://")
    config = room.config(f"""
alerts:
  log: off
  alertmanager: ["http://127.0.0.1:1/{SECRET}"]
  webhook: ["{receiver.url}/redirect?{SECRET}", "https://me:{SECRET}@{there}/"]
  command: [/bin/sh, -c, 'sleep 40 & echo some >&2; echo words >&2; exit 3']
""")
    began = time.monotonic()
    done = room.cli("alert", "test", "--json", "--config", config, check=False)
    assert time.monotonic() - began < 20  # the command is over when it ends, whoever still has its pipe
    errors = [row["error"] for row in json.loads(done.stdout)["sinks"]]
    for error, said in zip(errors, ("connect", "redirects are not followed", "TLS", "exit status 3: some"), strict=True):
        assert said in error
    assert SECRET not in done.stdout + done.stderr + room.cli("config", "show", config).stdout


def test_alert_test_is_sent_by_the_running_daemon(room, receiver):
    """With its rights and its receivers: what it cannot do in earnest, no test says that it can."""
    seen = f"{room.dir}/seen"
    open(seen, "w").close()
    for path in (room.dir, seen):
        os.chmod(path, 0o777)  # the command is nobody
    guard = Guard(room, receiver, f"""
  command: [/bin/sh, -c, 'grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status >{seen}']""")
    path = f"{room.dir}/config.yaml"
    said = json.loads(room.cli("alert", "test", "--json").stdout)
    assert said["files"] == [path] and "warning" not in said
    assert said["sent_by"] == f"dnsguardd (pid {guard.process.pid})"
    assert [row["delivered"] for row in said["sinks"]] == [True, True]
    receiver.hears(("DnsguardTest", "firing"))
    held = open(f"/proc/{guard.process.pid}/status").read()
    for line in open(seen).read().splitlines():
        assert line in held
    guard.log.until("alerts are tested, by .*uid 0")
    room.config(open(path).read().replace(f"{receiver.url}/hook", f"[{receiver.url}/hook, {receiver.url}/second]"))
    said = room.cli("alert", "test").stdout
    assert path in said and "dnsguard reload" in said
    receiver.hears(("DnsguardTest", "firing"), ("DnsguardTest", "firing"))
    assert receiver.told("/second") == []
    said = json.loads(room.cli("alert", "test", "--config", path, "--json").stdout)
    assert "this command, outside the service's sandbox" in said["sent_by"]
    receiver.hears(("DnsguardTest", "firing"), path="/second")
    room.config("alerts: {webhok: x}\n")
    said = room.cli("alert", "test").stdout
    assert 'unknown key "alerts.webhok"' in said and "goes on with what it read before" in said


def test_one_test_at_a_time(room, receiver):
    guard = Guard(room, receiver, "  command: [/bin/sleep, '1000']")
    first = subprocess.Popen(room.inside.enter(CLI, "--bpffs", room.bpffs, "alert", "test"),
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    receiver.hears(("DnsguardTest", "firing"))
    first.kill()  # else the second waits for its turn
    first.communicate()
    second = room.cli("alert", "test", check=False)
    assert second.returncode == 1 and "another test is under way" in second.stderr
    assert guard.stop() == 0


def test_a_daemon_that_ends_ends_a_test(room, receiver):
    guard = Guard(room, receiver, "  command: [/bin/sleep, '1000']")
    test = subprocess.Popen(room.inside.enter(CLI, "--bpffs", room.bpffs, "alert", "test"), text=True, stderr=subprocess.PIPE)
    receiver.hears(("DnsguardTest", "firing"))
    assert guard.stop() == 0
    assert "ended meanwhile" in test.communicate(timeout=60)[1] and test.returncode == 1


def test_who_may_not_see_whether_a_daemon_runs_tests_nothing(tmp_path):
    """Sent from here it would say what no daemon does."""
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLI, "--bpffs", tmp_path, "alert", "test",
               check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "/run/dnsguard" in done.stderr and done.stderr.endswith("Permission denied; run it as root, with sudo\n")


def test_who_may_not_read_what_fires_is_told_so(tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, os.stat(parent).st_mode | 0o011)
    (tmp_path / "alerts.json").touch(mode=0o600)
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLI, "--state-dir", tmp_path, "alert", "ls", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"dnsguard: cannot read {tmp_path}/alerts.json: Permission denied; run it as root, with sudo\n"


# ---- passwords, tokens and URLs that stand in files -----------------------------------------------


def secret_file(where, name, text=SECRET, mode=0o600):
    path = f"{where}/{name}"
    with open(path, "w") as file:
        file.write(f"{text}\nanother line\n")
    os.chmod(path, mode)
    return path


def receiver_as(url, **keys):
    return "alerts: {log: off, webhook: [{" + ", ".join(
        f"{key.replace('_', '-')}: '{value}'" for key, value in ({"url": url} | keys).items() if value) + "}]}\n"


@pytest.mark.parametrize("keys, header", [
    (("username", "password_file"), "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()),
    (("token_file",), f"Bearer {SECRET}"),
], ids=["password", "token"])
def test_a_secret_comes_from_a_file_and_is_shown_nowhere(room, receiver, keys, header):
    path = secret_file(room.dir, "secret")
    config = receiver_as(f"{receiver.url}/hook", **{key: "me" if key == "username" else path for key in keys})
    guard = Daemon(room, "--interface", "guarded", config=config).ready()
    shown = room.cli("alert", "test").stdout + room.cli("config", "show").stdout
    receiver.hears(("DnsguardTest", "firing"))
    assert receiver.authorization == header
    assert path in shown and SECRET not in shown
    secret_file(room.dir, "secret", "a new one")
    dry = room.cli("reload", "--dry-run").stdout
    assert re.fullmatch(r"alerts\.webhook\[\]: \{url: .*\}: changed \(hidden\)\n", dry)
    assert room.cli("reload").stdout == dry + "applied\n"
    guard.log.until(re.escape("configuration: " + dry.strip()))
    assert room.cli("reload", "--dry-run").stdout == "nothing changes\n"
    room.cli("alert", "test")
    assert receiver.authorization != header
    assert SECRET not in "".join(guard.log.rest_of())


def test_a_url_comes_from_a_file(room, receiver):
    config = room.config(receiver_as(None, url_file=secret_file(room.dir, "url", f"{receiver.url}/hook?{SECRET}")))
    said = room.cli("alert", "test", "--config", config).stdout + room.cli("config", "show", config).stdout
    receiver.hears(("DnsguardTest", "firing"), path=f"/hook?{SECRET}")
    assert SECRET not in said


@pytest.mark.parametrize("text, mode, wanted", [
    (SECRET, 0o640, "is open to others; run: chmod 600"),
    ("", 0o600, "its first line is empty"),
    ("\x01", 0o600, "control characters in its first line"),
    (SECRET * 100, 0o600, "has more than 511 octets"),
    (None, 0, "No such file"),
])
def test_a_file_that_is_no_secret_is_named(tmp_path, text, mode, wanted):
    path, config = f"{tmp_path}/secret", tmp_path / "config.yaml"
    if text is not None:
        secret_file(tmp_path, "secret", text, mode)
    config.write_text(receiver_as("http://127.0.0.1/", token_file=path))
    done = run(CLI, "config", "check", config, check=False)
    assert done.returncode == 1 and f"{config}:1:" in done.stderr and "alerts.webhook.token-file: " in done.stderr
    assert wanted in done.stderr and path in done.stderr and SECRET not in done.stderr


@pytest.mark.parametrize("keys, wanted", [
    ({"url": None}, "write either url or url-file"),
    ({"url_file": "/x"}, "write either url or url-file"),
    ({"username": "me"}, "username and password-file go together"),
    ({"username": "me", "password_file": "/x", "token_file": "/y"}, "token-file excludes username and password-file"),
    ({"url": None, "url_file": "/x", "token_file": "/y"}, "url-file goes with neither password-file nor token-file"),
    ({"password": "x"}, 'the nearest known key is "password-file"'),
])
def test_a_receiver_that_contradicts_itself_is_refused(tmp_path, keys, wanted):
    config = tmp_path / "config.yaml"
    config.write_text(receiver_as(**{"url": "http://127.0.0.1/", "token_file": None} | keys))
    done = run(CLI, "config", "check", config, check=False)
    assert done.returncode == 2 and wanted in done.stderr


def test_a_change_of_what_is_hidden_is_a_change(room):
    config = "interfaces: [guarded]\nalerts: {{log: off, webhook: ['http://hooks.example/{}', 'http://hooks.example/same']}}\n"
    guard = Daemon(room, "--interface", "guarded", config=config.format(SECRET)).ready()
    room.config(config.format("another"))
    dry = room.cli("reload", "--dry-run")
    assert dry.stdout == "alerts.webhook[]: 'http://hooks.example/(hidden)': changed (hidden)\n"
    assert room.cli("reload").stdout == dry.stdout + "applied\n"
    guard.log.until(re.escape(dry.stdout.strip()))
    assert room.cli("reload", "--dry-run").stdout == "nothing changes\n"


@pytest.mark.parametrize("text, said", [(None, "; start it: systemctl start dnsguardd"),
                                        ('{"schema": 1, "al', "alerts.json:1: cannot be read"),
                                        ('{"schema": 7}', "of another version; dnsguardd begins it anew")])
def test_alert_ls_says_what_it_cannot_read(room, text, said):
    if text:
        with open(f"{room.dir}/state/alerts.json", "w") as file:
            file.write(text)
    done = room.cli("alert", "ls", check=False)
    assert done.returncode == (1 if text else 3) and said in done.stdout + done.stderr
