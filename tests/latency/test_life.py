"""The program at egress comes, is replaced and goes with the guard, and nobody else's filter is touched."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

from guarded import BUILD, CLI, Daemon, Lines, run, wait_for

HOLDER = BUILD / "tests" / "loader" / "holder"


def pins(room):
    return sorted(path.name for path in (room.bpffs / "dnsguard" / "progs").iterdir())


def tcx(room, name="guarded"):
    """(link, program, device) of what is pinned, None = nothing."""
    path = room.bpffs / "dnsguard" / "progs" / f"tcx-{name}"
    if not path.exists():
        return None
    shown = json.loads(run("bpftool", "-j", "link", "show", "pinned", path).stdout)
    shown = shown[0] if isinstance(shown, list) else shown
    return shown["id"], shown["prog_id"]


def counts(room):
    room.time_all()
    before = room.latency()["udp"]["answers"]
    room.ask()
    return room.latency()["udp"]["answers"] - before


def test_attached_replaced_and_detached_with_its_device(room):
    room.resolver(1)
    room.attach()
    link, program = tcx(room)
    assert counts(room) == 1
    room.attach()
    assert tcx(room)[0] == link and tcx(room)[1] != program
    assert counts(room) == 1
    room.cli("detach", "guarded")
    assert tcx(room) is None and pins(room) == ["ingress"]


def test_each_device_has_its_own(room):
    room.make_device("second", "peer2")
    room.attach()
    room.cli("attach", "second")
    room.cli("detach", "guarded")
    assert tcx(room) is None and tcx(room, "second")
    assert room.latency()["measured"] is True


def test_whoever_asks_from_another_namespace_hears_the_same(room):
    def measured():
        said = run(CLI, "--bpffs", room.bpffs, "--state-dir", f"{room.dir}/state", "status", "--json").stdout
        return json.loads(said)["latency"]["measured"]

    room.attach()
    assert measured() is True
    (room.bpffs / "dnsguard" / "progs" / "tcx-guarded").unlink()
    assert measured() is False


def test_a_device_that_is_made_anew_is_timed_again(room):
    room.attach()
    link = tcx(room)[0]
    room.inside.ip("link", "del", "guarded")
    assert room.cli("status", check=False).returncode == 3
    room.make_device()
    room.attach()
    assert tcx(room)[0] != link
    room.resolver(1)
    assert counts(room) == 1


def trial(room, span):
    argv = room.inside.enter(CLI, "--bpffs", room.bpffs, "--state-dir", f"{room.dir}/state", "attach", "guarded", "--try",
                             span)
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_trial_that_nobody_confirms_leaves_nothing(room):
    assert trial(room, "1s").wait() == 1
    assert not (room.bpffs / "dnsguard").exists()


def test_a_trial_that_is_killed_leaves_nothing(room):
    process = trial(room, "60s")
    Lines(process.stderr).until("--confirm")
    assert tcx(room)
    holder = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    for pid in (process.pid, holder):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: room.cli("status", check=False) and not (room.bpffs / "dnsguard" / "progs" / "tcx-guarded").exists())


def test_a_trial_that_fails_leaves_the_earlier_one_alone(room):
    room.attach()
    before = tcx(room)
    process = trial(room, "1s")
    Lines(process.stderr).until("--confirm")
    assert tcx(room) == before
    assert process.wait() == 1
    assert tcx(room) == before and room.latency()["measured"] is True


def test_a_trial_that_is_kept_replaces_the_earlier_one(room):
    room.attach()
    link, program = tcx(room)
    process = trial(room, "60s")
    process.communicate(b"\n")
    assert process.returncode == 0
    assert tcx(room)[0] == link and tcx(room)[1] != program


def test_the_daemon_attaches_what_is_missing(room):
    room.attach()
    (room.bpffs / "dnsguard" / "progs" / "tcx-guarded").unlink()
    Daemon(room, "--interface", "guarded").ready()
    assert room.latency()["measured"] is True


def hold(room, where, how):
    run(*room.inside.enter(HOLDER, where, how), stdin=subprocess.DEVNULL)


def test_an_upgrade_replaces_the_program_of_an_earlier_build_in_place(room):
    """What runs is adopted only where it is what the new daemon would load."""
    room.resolver(1)
    room.attach()
    hold(room, room.bpffs / "dnsguard" / "progs" / "tcx-guarded", "egress")
    older = tcx(room)
    assert room.latency()["measured"] is True and counts(room) == 0
    daemon = Daemon(room, "--interface", "guarded").ready()
    daemon.log.until("guarded: adopted as it is")
    assert tcx(room)[0] == older[0] and tcx(room)[1] != older[1]
    assert counts(room) == 1
    ours = tcx(room)
    daemon.stop()
    Daemon(room, "--interface", "guarded").ready()
    assert tcx(room) == ours


def test_no_answer_is_missed_while_it_is_replaced(room):
    room.resolver(1)
    room.attach()
    room.cli("limit", "set", "--mode", "off")
    room.time_all()
    done, asked = threading.Event(), []

    def ask():
        while not done.is_set():
            room.ask(32)
            asked.append(32)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        programs = {tcx(room)[1]}
        for _ in range(5):
            before = len(asked)
            room.attach()
            programs.add(tcx(room)[1])
            wait_for(lambda: len(asked) > before)
    finally:
        done.set()
        asker.join()
    assert len(programs) == 6
    udp = room.latency()["udp"]
    assert (udp["answers"], udp["unanswered"]) == (sum(asked), 0)
    assert sum(cpu["value"]["asked"] for cpu in room.latency_rows()[0]) == sum(asked)


def test_a_refused_program_hinders_nothing_and_is_said(room):
    room.attach()
    in_the_way = room.bpffs / "dnsguard" / "progs" / "tcx-guarded"
    in_the_way.unlink()
    in_the_way.mkdir()
    done = room.attach()
    in_the_way.rmdir()
    assert done["replaced"] and "response times are not measured on guarded" in done["note"]
    assert room.latency()["measured"] is False and room.iface()["flags"] & 64 == 0


def test_filters_of_others_stay(room):
    hold(room, "guarded", "filter")
    before = room.filters()
    room.resolver(1)
    room.attach()
    assert counts(room) == 1
    room.cli("detach", "--all", "--purge")
    assert room.filters() == before and "stranger_egress" in before
