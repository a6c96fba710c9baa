"""The unit under a real systemd: readiness, reload, stop, crash and hang, while the kernel goes on filtering; and what it has to
ask and to run for TCP quotas and alerts, under the sandbox that keeps it from everything else."""

import json
import os
import re
import signal
import socket

import pytest

from machine import CONFIG, SERVER, run, wait_for

WITH_RESOLVERS = True
GUARDING = "interfaces: [guarded]\nmode: enforce\n"
DROP_IN = "/run/systemd/system/dnsguardd.service.d"


@pytest.fixture(scope="module")
def installed(machine, package):
    machine.install(package)
    return machine


@pytest.fixture
def service(installed):
    """Guarding, whatever the test before did. The limit of starts is not what is tested here."""
    installed.configure(GUARDING)
    installed.run("systemctl", "reset-failed", "dnsguardd", check=False)
    installed.run("systemctl", "restart", "dnsguardd")
    return installed


def host_pid(machine, pid):
    """The pid of a process in the machine as this host numbers it."""
    cgroup = machine.cgroup / "system.slice" / "dnsguardd.service" / "cgroup.procs"
    for ours in cgroup.read_text().split():
        try:
            status = open(f"/proc/{ours}/status", encoding="ascii").read()
        except OSError:  # a helper that has ended meanwhile
            continue
        if f"\nNSpid:\t{ours}\t{pid}\n" in status:
            return int(ours), status
    raise ProcessLookupError(pid)


def test_started_means_guarding(service):
    """Type=notify: when systemctl returns the device is guarded."""
    assert service.show("Type") == "notify" and service.show("StatusText") == "guarding"
    assert service.link() and service.filters()


def test_it_keeps_no_more_than_it_needs(service):
    """The set it may ever have is the unit's; what opens kernel memory to it and makes it nobody is off while it waits."""
    status = dict(line.split(":\t", 1) for line in host_pid(service, service.show("MainPID"))[1].splitlines() if ":\t" in line)
    net_admin, perfmon, bpf = 1 << 12, 1 << 38, 1 << 39
    assert int(status["CapEff"], 16) == net_admin | bpf
    assert int(status["CapBnd"], 16) & ~(net_admin | perfmon | bpf | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_reload_applies_the_file(service):
    service.configure(GUARDING.replace("enforce", "observe"))
    link = service.link()
    service.run("systemctl", "reload", "dnsguardd")
    wait_for(lambda: not service.status()["interfaces"][0]["enforcing"])
    assert service.link() == link and service.show("ActiveState") == "active"


def test_reload_of_a_bad_file_fails_and_changes_nothing(service):
    pid, link = service.show("MainPID"), service.link()
    service.configure(GUARDING + "limts: {}\n")
    done = service.run("systemctl", "reload", "dnsguardd", check=False)
    assert done.returncode != 0
    wait_for(lambda: f"{CONFIG}:3:1" in service.journal())
    assert (service.show("MainPID"), service.link()) == (pid, link)
    assert service.show("ActiveState") == "active" and service.filters()


def test_start_with_a_bad_file_is_not_tried_again(service):
    service.configure("limts: {}\n")
    assert service.run("systemctl", "restart", "dnsguardd", check=False).returncode != 0
    assert service.show("Result") == "exit-code" and service.show("ExecMainStatus") == "2"
    assert service.show("SubState") == "failed" and service.show("NRestarts") == "0"
    assert service.link() and service.filters()


def test_stopped_it_filters_on(service):
    link = service.link()
    service.run("systemctl", "stop", "dnsguardd")
    assert service.show("Result") == "success"
    assert service.link() == link and service.filters()


def test_restarted_it_adopts_what_filters(service):
    link, frames = service.link(), service.frames()
    service.run("systemctl", "restart", "dnsguardd")
    assert service.link() == link and service.frames() >= frames and service.filters()


def test_killed_it_comes_back(service):
    pid, link, frames = service.show("MainPID"), service.link(), service.frames()
    os.kill(host_pid(service, pid)[0], signal.SIGKILL)
    wait_for(lambda: service.show("NRestarts") == "1" or service.show("MainPID") not in ("0", pid))
    assert service.filters(), "while nobody but the kernel is there, or the next daemon"
    wait_for(lambda: service.show("SubState") == "running" and service.show("MainPID") not in ("0", pid))
    assert service.link() == link and service.frames() >= frames + 3


def test_one_that_hangs_is_ended_by_the_watchdog(service):
    """Stopped in its tracks it sends no more WATCHDOG=1; ten seconds instead of the unit's thirty, of which it may miss five on a busy machine."""
    drop_in = f"[Service]\nWatchdogSec=10\n"
    service.run("sh", "-c", f"mkdir -p {DROP_IN} && printf '{drop_in}' >{DROP_IN}/test.conf && systemctl daemon-reload")
    service.run("systemctl", "restart", "dnsguardd")
    pid, link = service.show("MainPID"), service.link()
    os.kill(host_pid(service, pid)[0], signal.SIGSTOP)
    assert service.filters()
    wait_for(lambda: service.show("SubState") == "running" and service.show("MainPID") not in ("0", pid))
    wait_for(lambda: "watchdog" in service.run("journalctl", "--unit", "dnsguardd", "--no-pager").stdout.lower())
    assert service.link() == link and service.filters()
    service.run("sh", "-c", f"rm -r {DROP_IN} && systemctl daemon-reload")


def test_an_alert_stands_in_the_journal_with_its_fields(installed):
    installed.run("dnsguard", "alert", "test")
    told = ("journalctl", "--output=json", "DNSGUARD_ALERT=DnsguardTest")
    wait_for(lambda: installed.run(*told).stdout)  # the journal takes it in its own time
    row = json.loads(installed.run(*told).stdout.splitlines()[-1])
    assert (row["PRIORITY"], row["SYSLOG_IDENTIFIER"]) == ("4", "dnsguardd")
    assert (row["DNSGUARD_STATUS"], row["DNSGUARD_SEVERITY"]) == ("firing", "warning")
    assert row["MESSAGE"].startswith("DnsguardTest firing: ")


# ---- resolvers, history and alerts, through the sandbox ------------------------------------------------

PRESSED = """interfaces: [guarded]
tcp: {warning: {at: 2, full-within: 0s, hold: 0s}, critical: {full-within: 0s}, clear: {below: 1, hold: 1s}, quota: %s}
alerts: {command: [/usr/bin/logger, --tag, 'told-by-$(id)', --stderr]}
"""


def listener(machine):
    rows = json.loads(machine.run("dnsguard", "tcp", "--json").stdout)["listeners"]
    return next((row for row in rows if (row["address"], row["port"]) == (SERVER, 53)), {})


def quota(machine):
    """What the daemon itself has found, from where it stands: the command line has no sandbox around it."""
    metrics = run("nsenter", "--target", machine.first_pid(), "--net", "curl", "-s", "http://127.0.0.1:10530/metrics").stdout
    found = re.search(rf'^dnsguard_tcp_quota_connections{{.*listener="{SERVER}:53".*}} (\d+)', metrics, re.MULTILINE)
    return int(found[1]) if found else None


@pytest.fixture
def named(service):
    service.run("systemctl", "start", "named")
    yield service
    service.run("systemctl", "stop", "named")


@pytest.fixture
def unbound(service):
    service.path("/etc/unbound/unbound.conf.d/test.conf").write_text(f"server:\n  interface: {SERVER}\n  num-threads: 2\n")
    service.run("systemctl", "start", "unbound")
    yield service
    service.run("systemctl", "stop", "unbound")


def test_unbound_is_asked_for_its_quota_as_its_own_user(unbound):
    """10 a thread, of which there are two."""
    unbound.run("systemctl", "restart", "dnsguardd")
    wait_for(lambda: quota(unbound) == 20)
    row = listener(unbound)
    assert (row["resolver"], row["quota"], "incoming-num-tcp" in row["quota_source"]) == ("unbound", 20, True), row


def test_from_named_s_quota_to_the_command_that_is_told(named):
    """Found by rndc, filled past a threshold, told to a command that runs as nobody, written into the history, reloaded."""
    named.configure(PRESSED % "auto")
    named.run("systemctl", "restart", "dnsguardd")
    wait_for(lambda: quota(named) == 150)
    row = listener(named)
    assert (row["resolver"], row["quota"]) == ("named", 150) and "rndc" in row["quota_source"], row
    held = named.client.sockets(6, socket.AF_INET, socket.SOCK_STREAM)
    for sock in held:
        sock.connect((SERVER, 53))
    told = ("journalctl", "--output=json", "SYSLOG_IDENTIFIER=told-by-$(id)")  # no shell has read it
    wait_for(lambda: named.run(*told).stdout)
    row = json.loads(named.run(*told).stdout.splitlines()[0])
    assert "DnsguardTcpFilling" in row["MESSAGE"] and row["_UID"] == "65534", row
    for sock in held:
        sock.close()
    wait_for(lambda: json.loads(named.run("dnsguard", "report", "tcp", "--json", check=False).stdout or "{}").get("days"))
    pid, link = named.show("MainPID"), named.link()
    named.configure(PRESSED % "77")
    named.run("systemctl", "reload", "dnsguardd")
    wait_for(lambda: quota(named) == 77)
    assert (named.show("MainPID"), named.link()) == (pid, link)
    assert not [line for line in named.journal().splitlines() if "not permitted" in line or "EPERM" in line]
