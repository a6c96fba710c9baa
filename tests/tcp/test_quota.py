"""
Whose listener it is and what it takes is asked of the resolver; what cannot be asked is unknown. So is, for once, what a busy machine
does not let a resolver's tool tell in time: becomes() asks again.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from callers import Bind, Dnsdist, Knot, Recursor, Unbound, hang_up
from guarded import CLI, SANDBOX, SERVER, run, wait_for

RNDC_KEY = Path("/etc/bind/rndc.key")


@pytest.mark.parametrize("options, quota, source", [
    ("tcp-clients 20;", 20, "tcp-clients in its configuration file"),
    ("", 150, "default"),
], ids=["tcp-clients 20", "default"])
def test_bind_has_one_quota(room, options, quota, source):
    room.attach()
    bind = Bind(room, options)
    row = room.becomes(quota=quota, quota_source=source)
    assert (row["resolver"], row["pid"], row["quota_shared"]) == ("named", bind.child.pid, True)
    assert row["quota"] == bind.clients()[1]


@pytest.mark.skipif(not RNDC_KEY.exists(), reason=f"{RNDC_KEY}, which rndc uses by default, is not there")
def test_the_running_server_knows_better_than_its_file(room):
    room.attach()
    bind = Bind(room, "tcp-clients 20;", key=RNDC_KEY.read_text())
    bind.conf.write_text(bind.conf.read_text().replace("tcp-clients 20;", "tcp-clients 33;"))
    room.becomes(quota=20, quota_source="rndc status")


def test_statistics_channel_knows_whether_the_file_is_what_runs(room):
    room.attach()
    bind = Bind(room, "tcp-clients 20;", more="statistics-channels { inet 127.0.0.1 port 8053 allow { any; }; };")
    os.utime(bind.conf, (0, 0))
    room.becomes(quota=20, quota_advice="", quota_source="tcp-clients in its configuration file, unchanged since named read it "
                 "(statistics channel)")
    os.utime(bind.conf, (2 ** 32, 2 ** 32))
    room.becomes(quota=20, quota_advice=f"{bind.conf} has changed since named read it: rndc reconfig makes it true, rndc status would "
                 "tell what runs")


def test_unbound_has_a_quota_for_each_thread(room):
    room.attach()
    unbound = Unbound(room, "incoming-num-tcp: 17\n  num-threads: 2")
    row = room.becomes(quota=34)
    assert (row["resolver"], row["pid"]) == ("unbound", unbound.child.pid)
    assert (row["quota_shared"], row["quota_slots"]) == (False, 17)
    assert row["sustainable_per_second"] is None  # nobody has come and gone yet
    hang_up(room.call(4))
    row = room.becomes(connections=0, opened=4)
    assert row["sustainable_per_second"] > 34 / 60


def test_what_is_not_a_resolver_has_no_quota(room):
    room.attach()
    room.listen()
    row = room.listener()
    assert row["resolver"].startswith("python3") and row["quota"] is None
    assert row["quota_source"].startswith("unknown: ")


def test_a_configuration_that_cannot_be_read_is_unknown(room):
    room.attach()
    unbound = Unbound(room)
    unbound.conf.unlink()
    row = room.listener()
    assert row["quota"] is None and "unbound-checkconf does not tell" in row["quota_source"]


def test_what_does_not_answer_is_not_waited_for(room):
    room.attach()
    bind = Bind(room)
    bind.conf.unlink()
    os.mkfifo(bind.conf)  # nobody will ever write into it
    began = time.monotonic()
    row = room.listener()
    assert time.monotonic() - began < 17  # of which tools have 10
    assert row["quota"] is None and "named-checkconf does not tell" in row["quota_source"]


def test_recursor_tells_on_its_control_socket(room):
    room.attach()
    recursor = Recursor(room, "max-tcp-clients=77")
    row = room.becomes(quota=77, quota_source="rec_control get-parameter max-tcp-clients")
    assert (row["resolver"], row["pid"], row["quota_shared"]) == ("pdns_recursor", recursor.child.pid, True)


FILES = "its limit of open files, for it has no quota"


@pytest.mark.parametrize("binds, quota, source", [
    (f'setLocal("{SERVER}:53", {{ maxConcurrentTCPConnections = 33 }})', 33,
     "maxConcurrentTCPConnections in its configuration file"),
    (f'addLocal( "{SERVER}" , {{doTCP=true, maxConcurrentTCPConnections=44}})', 44,
     "maxConcurrentTCPConnections in its configuration file"),
    (f'setLocal("{SERVER}:53") -- {{maxConcurrentTCPConnections=33}}', 1000, FILES),
    (f'local a = "192.0.2." setLocal(a .. "1:53", {{maxConcurrentTCPConnections=33}})', None, "unknown: "),
], ids=["setLocal", "addLocal", "no limit", "a program"])
def test_dnsdist_has_what_its_bind_says(room, binds, quota, source):
    room.attach()
    dnsdist = Dnsdist(room, binds)
    run("prlimit", "--pid", dnsdist.child.pid, "--nofile=1000:1000")
    row = room.listener()
    assert (row["resolver"], row["quota"]) == ("dnsdist", quota)
    assert row["quota_source"].startswith(source)


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_bind_service",
          "--ambient-caps=+net_bind_service")


def listen_as(room, name, *options, wrap=()):
    """A process of that name and command line listens, and nothing more."""
    program, script = Path(room.dir) / name, Path(room.dir) / "listen.py"
    shutil.copy(sys.executable, program)
    script.write_text(f"import socket, signal\ns = socket.create_server(('{SERVER}', 53))\nsignal.pause()\n")
    os.chmod(room.dir, 0o755)
    child = room.start(*wrap, program, "-S", script, *options)
    wait_for(lambda: room.tcp()["listeners"])
    return child


def test_knot_resolver_has_only_its_open_files(room):
    room.attach()
    knot = Knot(room, 900)
    row = room.listener()
    assert (row["resolver"], row["pid"], row["quota"], row["quota_source"]) == ("kresd", knot.child.pid, 900, FILES)


# ---- the doctor -----------------------------------------------------------------------------------


def doctor(room, *wrap):
    done = run(*room.inside.enter(*wrap, CLI, "--bpffs", room.bpffs, "doctor", "tcp", "--json"), check=False)
    return done.returncode, json.loads(done.stdout)["listeners"]


def test_another_users_process_is_found_without_tracing_it(room):
    room.attach()
    child = listen_as(room, "kresd", wrap=NOBODY)
    status, (row,) = doctor(room, *SANDBOX)  # without CAP_SYS_PTRACE
    assert (status, row["resolver"], row["pid"]) == (0, "kresd", child.pid)
    blind = [word.replace(",+perfmon", "") for word in SANDBOX]
    status, (row,) = doctor(room, *blind)
    assert (status, row["resolver"], row["quota"]) == (1, None, None)
    assert "CAP_PERFMON" in row["quota_advice"]


def test_a_container_of_its_own_numbers_is_understood(room):
    """Seen from inside, a process has another number than outside, and that is the one to ask for."""
    room.attach()
    script = Path(room.dir) / "inside"
    script.write_text(f"""#!/bin/sh
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_bind_service --ambient-caps=+net_bind_service \\
  {room.dir}/kresd -S {room.dir}/listen.py &
while ! ss -ltn | grep -q :53; do :; done
exec "$@"
""")
    script.chmod(0o755)
    shutil.copy(sys.executable, f"{room.dir}/kresd")
    Path(f"{room.dir}/listen.py").write_text(f"import socket, signal\ns = socket.create_server(('{SERVER}', 53))\nsignal.pause()\n")
    os.chmod(room.dir, 0o755)
    status, (row,) = doctor(room, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", script, *SANDBOX)
    assert (status, row["resolver"], row["quota_source"]) == (0, "kresd", FILES)
    assert row["pid"] < 20


def test_a_resolvers_tool_runs_as_the_resolver(room):
    """It may read what we may not: here a configuration of its own, from a root without power over others' files."""
    room.attach()
    own = Path(room.dir) / "own"
    own.mkdir(mode=0o700)
    conf = own / "unbound.conf"
    conf.write_text('server:\n  chroot: ""\n  directory: ""\n  username: ""\n  incoming-num-tcp: 29\n  num-threads: 1\n')
    os.chown(own, 65534, 65534)
    listen_as(room, "unbound", "-c", conf, wrap=NOBODY)
    status, (row,) = doctor(room, *SANDBOX)
    assert (status, row["resolver"], row["quota"]) == (0, "unbound", 29), row
