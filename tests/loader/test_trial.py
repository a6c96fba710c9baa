"""attach --try: the guard goes by itself unless somebody says that it may stay."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from guarded import CLI, PATIENCE, Daemon, Lines, wait_for
from test_life import FAILED, NOT_ATTACHED, OK, pins, prog_on, refused


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(path):
    """What a process of ours says of itself; nothing once it is gone."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def named(pid):
    return read(f"/proc/{pid}/comm").strip()


def watches(pid, other):
    try:
        fds = os.listdir(f"/proc/{pid}/fdinfo")
    except OSError:
        return False
    return any(f"Pid:\t{other}\n" in read(f"/proc/{pid}/fdinfo/{fd}") for fd in fds)


def alive(pid):
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat.rsplit(")", 1)[1].split()[0] not in "ZX"


class Trial:
    """A trial in the foreground of a terminal that a test can close."""

    def __init__(self, world, *args, span="60s"):
        argv = world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", "attach", "guarded",
                                  "--try", span, *args)
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        Lines(self.process.stderr).until("--confirm")
        # The child that holds the link; none when the time of a short trial is over already.
        children = read(f"/proc/{self.process.pid}/task/{self.process.pid}/children").split()
        self.holder = int(children[0]) if children else 0

    def guardians(self):
        """The processes behind the holder: they have a pidfd of it."""
        return [pid for pid in pids() if named(pid) == "dnsguard-undo" and watches(pid, self.holder)]

    def guardian(self):
        wait_for(self.guardians)  # it gets its name in its own time
        pid, = self.guardians()
        return pid

    def kill(self, *pids_of):
        for pid in pids_of:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not alive(pid))

    def enter(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def ended(self):
        self.process.wait(PATIENCE)
        return self.process.returncode

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if alive(self.holder):  # it outlives its terminal until the trial's time is over; the guardian puts things right
            self.kill(self.holder)


@pytest.fixture
def trial(world):
    started = []

    def start(*args, **kwargs):
        started.append(Trial(world, *args, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_it_goes_when_nobody_answers(world, trial):
    one = trial(span="1s")
    assert one.ended() == FAILED
    assert prog_on(world) is None
    assert pins(world) == []  # the maps were made for it


def test_status_calls_it_a_trial(world, trial):
    trial()
    iface, = world.status()["interfaces"]
    assert (iface["trial"], iface["enforcing"]) == (True, True)
    assert world.cli("status", "--check", check=False).returncode == 1


def test_enter_keeps_it(world, trial):
    one = trial()
    one.enter()
    assert one.ended() == OK
    assert world.status()["interfaces"][0]["trial"] is False
    assert prog_on(world)[1] == world.link()[1]


def test_confirm_from_elsewhere_keeps_it(world, trial):
    one = trial()
    world.cli("attach", "guarded", "--confirm")
    assert one.ended() == OK
    assert world.status()["interfaces"][0]["trial"] is False
    assert "no trial runs" in refused(world, "attach", "guarded", "--confirm", status=NOT_ATTACHED)


def test_a_dead_terminal_does_not_end_it_early_nor_keep_it(world, trial):
    began = time.monotonic()
    one = trial(span="3s")
    os.killpg(one.process.pid, signal.SIGHUP)  # what a closing terminal sends to all in its session
    one.ended()
    wait_for(lambda: prog_on(world) is None)
    assert time.monotonic() - began > 3
    wait_for(lambda: pins(world) == [])


def test_a_word_that_comes_late_is_heard(world, trial):
    """Who confirms has connected and gets no processor for a while; whoever comes in between is heard as well."""
    one = trial()
    slow = ("strace", "-D", "-qq", "-o", f"{world.dir}/strace", "-e", "trace=sendto", "-e", "inject=sendto:delay_enter=3000000")
    late = subprocess.Popen(world.inside.enter(*slow, CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", "attach",
                                               "guarded", "--confirm"), stdout=subprocess.DEVNULL)
    for _ in range(5):
        assert "on trial" in world.cli("status").stdout  # which asks whether somebody is there
    assert late.wait(PATIENCE) == OK and one.ended() == OK
    assert world.status()["interfaces"][0]["trial"] is False


def test_confirm_after_the_terminal_died(world, trial):
    one = trial()
    one.process.kill()
    one.ended()
    world.cli("attach", "guarded", "--confirm")
    assert prog_on(world)[1] == world.link()[1]


def test_a_killed_holder_detaches(world, trial):
    one = trial()
    one.kill(one.holder)
    assert one.ended() == FAILED
    wait_for(lambda: prog_on(world) is None)
    wait_for(lambda: pins(world) == [])  # the maps were made for it
    assert records(world) == []


def test_a_stopped_holder_takes_it_back(world, trial):
    one = trial()
    os.kill(one.holder, signal.SIGTERM)
    assert one.ended() == FAILED
    assert (prog_on(world), pins(world)) == (None, [])


def test_detach_ends_it(world, trial):
    one = trial()
    world.cli("detach", "guarded")
    assert one.ended() == FAILED
    assert prog_on(world) is None


def test_a_replaced_program_comes_back(world, trial):
    world.cli("attach", "guarded")
    link, program = world.link()
    one = trial("--observe", span="1s")  # that it was replaced meanwhile is seen where there is more time
    assert one.ended() == FAILED
    assert world.link() == (link, program)
    assert world.status()["interfaces"][0]["enforcing"] is True


def test_a_replaced_program_does_not_come_back_when_the_trial_is_kept(world, trial):
    world.cli("attach", "guarded")
    link, program = world.link()
    one = trial("--observe")
    one.enter()
    assert one.ended() == OK
    assert world.link()[0] == link and world.link()[1] != program
    assert world.status()["interfaces"][0]["enforcing"] is False


@pytest.fixture
def trial_in_place(world, trial):
    """A trial in place of a running guard: (trial, link as it was before)."""
    world.cli("attach", "guarded")
    before = world.link()
    one = trial("--observe")
    assert world.link()[0] == before[0] and world.link()[1] != before[1]
    assert world.status()["interfaces"][0]["enforcing"] is False
    return one, before


def as_before(world, link):
    iface, = world.status()["interfaces"]
    return world.link() == link and iface["enforcing"] and not iface["trial"]


def records(world):
    """What is written down for open trials under this bpffs directory."""
    lock = world.run_file("lock")
    assert lock.exists()
    mark = lock.name.removeprefix("lock")
    files = [path.name for path in lock.parent.iterdir() if path.name.endswith(mark) and path.name.startswith("trial-")]
    return files + [name for name in pins(world) if "before" in name]


def test_a_killed_holder_brings_the_replaced_program_back(world, trial_in_place):
    one, link = trial_in_place
    one.kill(one.holder)
    assert one.ended() == FAILED
    assert world.link() == link  # the command in the foreground saw to it before it ended
    assert as_before(world, link)
    assert records(world) == []


def test_the_guardian_brings_it_back_when_nobody_else_is_there(world, trial_in_place):
    one, link = trial_in_place
    guardian = one.guardian()
    one.kill(one.process.pid, one.holder)
    wait_for(lambda: world.link() == link)
    wait_for(lambda: not alive(guardian))
    assert records(world) == []
    assert as_before(world, link)


def test_the_guardian_ends_a_holder_that_hangs(world, trial):
    """Stopped, it misses its deadline; 15 s later it is killed."""
    world.cli("attach", "guarded")
    link = world.link()
    one = trial("--observe", span="10s")
    os.kill(one.holder, signal.SIGSTOP)
    assert one.ended() == FAILED
    assert as_before(world, link)


def test_a_guardian_that_is_told_to_go_goes(world, trial_in_place):
    """The host may go down; the trial is the holder's all the same."""
    one, link = trial_in_place
    guardian = one.guardian()
    os.kill(guardian, signal.SIGTERM)
    wait_for(lambda: not alive(guardian))
    one.enter()
    assert one.ended() == OK
    assert world.link() != link


def all_killed(world, one):
    """Both dead at once: the guardian cannot act any more."""
    guardian = one.guardian()
    os.kill(guardian, signal.SIGSTOP)
    one.kill(one.process.pid, one.holder, guardian)
    assert len(records(world)) == 2


def test_with_all_of_them_dead_the_next_command_brings_it_back(world, trial_in_place):
    one, link = trial_in_place
    all_killed(world, one)
    assert world.link() != link
    said = world.cli("names").stderr  # whatever the command
    assert "the trial on guarded lost its holder" in said
    assert records(world) == []
    assert as_before(world, link)


def test_with_all_of_them_dead_the_daemon_brings_it_back(world, trial_in_place):
    one, link = trial_in_place
    daemon = Daemon(world, "--interface", "guarded").ready()
    daemon.kill(signal.SIGSTOP)
    all_killed(world, one)
    daemon.kill(signal.SIGCONT)
    daemon.log.until("guarded: its trial lost its holder")
    assert world.link() == link
    assert records(world) == []


def test_a_killed_trial_is_no_obstacle_for_the_next_attach(world, trial_in_place):
    one, link = trial_in_place
    all_killed(world, one)
    world.cli("attach", "guarded")
    assert world.link()[0] == link[0]
    assert as_before(world, world.link())


def test_detach_ends_a_trial_in_place(world, trial_in_place):
    one, _ = trial_in_place
    guardian = one.guardian()
    world.cli("detach", "guarded")
    assert one.ended() == FAILED
    wait_for(lambda: not alive(guardian))
    assert prog_on(world) is None
    assert records(world) == []


def test_a_trial_that_is_kept_leaves_no_record(world, trial_in_place):
    one, link = trial_in_place
    guardian = one.guardian()
    one.enter()
    assert one.ended() == OK
    wait_for(lambda: not alive(guardian))
    assert records(world) == []
    assert world.link() != link


@pytest.mark.parametrize("first", [False, True], ids=["new", "in place"])
def test_two_trials_on_one_device(world, trial, first):
    if first:
        world.cli("attach", "guarded")
    trial()
    for words in (["--try", "5s"], []):
        assert "--confirm keeps it" in refused(world, "attach", "guarded", *words)


def test_it_counts_while_it_runs(world, trial):
    trial()
    world.query(count=5)
    wait_for(lambda: world.frames("pass_clean") == 5)
