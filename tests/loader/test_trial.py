"""attach --try: the guard goes by itself unless somebody says that it may stay."""

import os
import signal
import subprocess

import pytest

from guarded import CLI, PATIENCE, Lines, wait_for
from test_life import FAILED, NOT_ATTACHED, OK, pins, prog_on, refused


class Trial:
    """A trial in the foreground of a terminal that a test can close."""

    def __init__(self, world, *args, span="60s"):
        argv = world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", "attach", "guarded",
                                  "--try", span, *args)
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        Lines(self.process.stderr).until("--confirm")

    def holder(self):
        """The child that holds the link."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return int(file.read().split()[0])

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
    one = trial(span="3s")
    os.killpg(one.process.pid, signal.SIGHUP)  # what a closing terminal sends to all in its session
    one.ended()
    assert prog_on(world) is not None
    wait_for(lambda: prog_on(world) is None)
    wait_for(lambda: pins(world) == [])


def test_confirm_after_the_terminal_died(world, trial):
    one = trial()
    one.process.kill()
    one.ended()
    world.cli("attach", "guarded", "--confirm")
    assert prog_on(world)[1] == world.link()[1]


def test_a_killed_holder_detaches(world, trial):
    one = trial()
    os.kill(one.holder(), signal.SIGKILL)
    assert one.ended() == FAILED
    wait_for(lambda: prog_on(world) is None)
    assert world.cli("status", "--check", check=False).returncode == 2
    world.cli("attach", "guarded")  # what it left behind is no obstacle
    assert world.status()["interfaces"][0]["trial"] is False


def test_a_stopped_holder_takes_it_back(world, trial):
    one = trial()
    os.kill(one.holder(), signal.SIGTERM)
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
    one = trial("--observe", span="1s")
    assert world.link()[0] == link and world.link()[1] != program
    assert world.status()["interfaces"][0]["enforcing"] is False
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


def test_two_trials_on_one_device(world, trial):
    trial()
    assert "--confirm keeps it" in refused(world, "attach", "guarded", "--try", "5s")


def test_it_counts_while_it_runs(world, trial):
    trial()
    world.query(count=5)
    wait_for(lambda: world.frames("pass_clean") == 5)
