"""watch: a sample of the queries as they are decided. It ends with its watcher, however that ends."""

import fcntl
import json
import signal
import subprocess
from pathlib import Path

import pytest

from guarded import CLI, CLIENT, PATIENCE, Lines, wait_for

FAILED, USAGE = 1, 2


class Watch:
    def __init__(self, world, *args, until=lambda: None):
        argv = world.inside.enter(CLI, "--bpffs", world.bpffs, "--state-dir", f"{world.dir}/state", "watch", "--json", *args)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = Lines(self.process.stdout)
        until()
        wait_for(lambda: self.is_ordered(world))

    def is_ordered(self, world):
        self.ordered_until_ns = world.settings()["watch_until_ns"]
        return self.ordered_until_ns

    def next(self):
        return json.loads(self.lines.until(""))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def watch(world):
    started = []

    def start(*args, **kwargs):
        started.append(Watch(world, *args, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_query_is_shown_whole(world, watch):
    one = watch()
    world.query()
    event = one.next()
    assert (event["verdict"], event["name"], event["type"]) == ("pass_clean", "www.example", "A")
    assert (event["client"], event["server"], event["interface"]) == (CLIENT, "192.0.2.1", "guarded")
    assert event["transport"] == "udp"


def test_filter_by_verdict_and_client(world, watch):
    world.cli("source", "ban", CLIENT)
    one = watch("--verdict", "drop_banned", "--client", f"{CLIENT}/32", "--count", "1")
    world.query()
    assert one.next()["verdict"] == "drop_banned"
    assert one.process.wait(PATIENCE) == 0


def test_filter_by_name_and_below(world, watch):
    one = watch("--name", "EXAMPLE", "--count", "1")
    world.query()
    assert one.next()["name"] == "www.example"


def test_what_is_filtered_out_is_not_shown(world, watch):
    one = watch("--name", "other.example", "--count", "1")
    world.query(count=3)
    wait_for(lambda: world.status()["events"]["sent"] >= 3)
    one.end()
    assert one.process.stdout.read() in (b"", None)


def test_the_stream_stops_with_its_watcher(world, watch):
    one = watch()
    assert one.end() == 0
    assert world.settings()["watch_until_ns"] == 0
    world.query(count=3)
    assert world.status()["events"]["sent"] == 0


def test_the_stream_stops_after_a_killed_watcher(world, watch):
    one = watch()
    one.end(signal.SIGKILL)
    until = world.settings()["watch_until_ns"]
    assert until  # nobody could clear it; it is a deadline within three seconds
    assert until - now_ns() < 3.5e9


def now_ns():
    return int(float(Path("/proc/uptime").read_text().split()[0]) * 1e9)


def test_a_watcher_who_waits_for_the_lock_sees_what_comes_then(world, watch):
    """As long as the stream is ordered for at a time, and longer."""
    with open(world.run_file("lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        over = now_ns() + 4e9
        one = watch(until=lambda: (wait_for(lambda: now_ns() > over), fcntl.flock(lock, fcntl.LOCK_UN)))
    assert one.ordered_until_ns > over


def test_one_watcher_at_a_time(world, watch):
    one = watch()
    done = world.cli("watch", check=False)
    assert done.returncode == FAILED
    assert f"process {one.process.pid} is watching" in done.stderr
    one.end()
    watch()  # and the next one may


def test_no_such_verdict(world):
    done = world.cli("watch", "--verdict", "drop_everything", check=False)
    assert done.returncode == USAGE and '"drop_everything"' in done.stderr
