"""Lists while the daemon runs: what changes is live by itself, what fails is stale and says so, and nothing waits for it."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guarded import PATIENCE, ROOT, Daemon, wait_for

sys.path.insert(0, str(ROOT / "tests" / "lists"))
import server as web  # noqa: E402

CONFIG = "interfaces: [guarded]\nlists:\n  spread: 0s\n{}"
QUIET_S = 0.25  # SETTLE_MS of userspace/dnsguardd/lists_when.c


class Site(web.Server):
    """A web server on the loopback device of the guarded namespace."""

    def __init__(self, netns):
        self.netns = netns
        super().__init__()

    def server_bind(self):
        self.socket.close()
        self.socket = self.netns.socket(socket.AF_INET, socket.SOCK_STREAM)
        super().server_bind()


@pytest.fixture
def site(world):
    made = Site(world.inside)
    yield made
    made.close()


def start(world, more="", **kwargs):
    return Daemon(world, config=CONFIG.format(more), **kwargs).ready()


def file(world, name, *lines):
    """Replaced whole, as editors and downloaders do."""
    path = Path(world.dir) / name
    path.with_suffix(".new").write_text("".join(f"{line}\n" for line in lines))
    os.rename(path.with_suffix(".new"), path)
    return path


def decided(world, name):
    """(verdict, list) of the live program for a query."""
    found = json.loads(world.cli("explain", name, "--client", "192.0.2.2", "--json").stdout)
    return found["verdict"], found["list"]


def listed(world, name):
    return decided(world, name)[0] == "reply_sinkhole"


def series(name, which="ads"):
    return f'dnsguard_list_{name}{{list="{which}"}}'


def status(world, name):
    return next(row for row in world.status()["lists"] if row["name"] == name)


def meta(world, name):
    return Path(world.dir) / "state" / "lists" / name / "meta.json"


def pretend(world, daemon, name, **facts):
    """As if that had been long ago: what is known of a list is a file, and a reload looks at it."""
    path = meta(world, name)
    changed = path.with_suffix(".pretended")
    changed.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    os.rename(changed, path)  # whole, as the pipeline writes it: the daemon may look at any moment
    daemon.kill(signal.SIGHUP)


# ---- files and directories ------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", ["root", "sandboxed"])
def test_a_file_that_is_replaced_is_live(world, wrap):
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", file(world, "ads", "old.example"))
    daemon = start(world, **({"wrap": ()} if wrap == "root" else {}))
    file(world, "ads", "new.example")
    wait_for(lambda: listed(world, "new.example"))
    assert not listed(world, "old.example")
    wait_for(lambda: daemon.samples()[series("names")] == 1)
    daemon.log.until("list ads: updated, 1 names")


def test_a_file_that_is_written_in_place_is_live(world):
    path = file(world, "ads", "old.example")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    start(world)
    with open(path, "a") as feed:
        feed.write("new.example\n")
    wait_for(lambda: listed(world, "new.example"))
    assert listed(world, "old.example")


def test_a_burst_of_changes_is_one_update(world):
    path = file(world, "ads", "old.example")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    daemon = start(world)
    file(world, "ads", "first.example")
    wait_for(lambda: listed(world, "first.example"))
    began = time.monotonic()
    for i in range(20):
        file(world, "ads", f"n{i}.example")
    file(world, "ads", "last.example")
    took = time.monotonic() - began
    wait_for(lambda: listed(world, "last.example"))
    file(world, "ads", "one.more.example", "and.another.example")
    daemon.log.until("list ads: updated, 2 names")
    said = [line for line in daemon.log.seen if "list ads: updated, 1 names" in line]
    # Not 22: the first one, and one for the burst, unless this process was held up for a moment of quiet in the middle of it.
    assert 2 <= len(said) <= 2 + took / QUIET_S


def test_a_directory_and_what_comes_and_goes_in_it(world):
    feeds = Path(world.dir) / "feeds"
    feeds.mkdir()
    (feeds / "a").write_text("a.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", feeds)
    start(world)
    (feeds / "b").write_text("b.example\n")
    wait_for(lambda: listed(world, "b.example"))
    file(world, "feeds/c", "c.example")
    wait_for(lambda: listed(world, "c.example"))
    (feeds / "a").unlink()
    wait_for(lambda: not listed(world, "a.example"))
    outside = Path(world.dir) / "outside"
    outside.write_text("linked.example\n")
    os.link(outside, feeds / "d")
    wait_for(lambda: listed(world, "linked.example"))


def test_a_link_that_is_led_elsewhere(world):
    """As mounts of configuration do: the path stays, the directory behind it is swapped."""
    for version in ("v1", "v2"):
        (Path(world.dir) / version).mkdir()
        (Path(world.dir) / version / "feed").write_text(f"{version}.example\n")
    current = Path(world.dir) / "current"
    current.symlink_to("v1")
    path = Path(world.dir) / "feed"
    path.symlink_to("current/feed")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    start(world)
    wait_for(lambda: listed(world, "v1.example"))
    (Path(world.dir) / "next").symlink_to("v2")
    os.rename(Path(world.dir) / "next", current)
    wait_for(lambda: listed(world, "v2.example"))
    (Path(world.dir) / "v2" / "feed").write_text("v3.example\n")
    wait_for(lambda: listed(world, "v3.example"))


def test_what_changed_while_nobody_watched(world):
    path = file(world, "ads", "old.example")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    file(world, "ads", "new.example")
    start(world)
    wait_for(lambda: listed(world, "new.example"))


def test_lists_that_are_added_and_removed_while_it_runs(world):
    daemon = start(world)
    assert not any(name.startswith("dnsguard_list_") for name in daemon.samples())
    world.cli("list", "add", "ads", file(world, "ads", "old.example"))
    assert daemon.samples()[series("names")] == 1
    file(world, "ads", "new.example")
    wait_for(lambda: listed(world, "new.example"))
    world.cli("list", "rm", "ads")
    assert not any(name.startswith("dnsguard_list_") for name in daemon.samples())


def test_what_lies_beside_a_source_is_nobodys_business(world):
    """Neither a neighbour of a file nor a directory's hidden files and backups make work."""
    feeds = Path(world.dir) / "feeds"
    feeds.mkdir()
    (feeds / "a").write_text("a.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "dir", feeds)
    world.cli("list", "add", "ads", file(world, "ads", "ads.example"))
    added = [attempts(world, name) for name in ("dir", "ads")]
    daemon = start(world)
    wait_for(lambda: not set(added) & {attempts(world, name) for name in ("dir", "ads")})  # the look at the start
    before = [attempts(world, name) for name in ("dir", "ads")]
    (feeds / ".a.swp").write_text("x")
    (feeds / "a~").write_text("x")
    file(world, "neighbour", "n.example")
    world.cli("list", "add", "third", file(world, "third", "third.example"))
    file(world, "third", "last.example")
    wait_for(lambda: listed(world, "last.example"))  # what came before it would have been seen by now
    assert [attempts(world, name) for name in ("dir", "ads")] == before
    assert daemon.samples()[series("stale")] == 0


def attempts(world, name):
    """Something that every run of the pipeline for this list changes: its file is replaced whole."""
    return os.stat(meta(world, name)).st_mtime_ns


def test_a_source_that_is_gone_and_back(world):
    path = file(world, "ads", "a.example")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    daemon = start(world)
    path.unlink()
    wait_for(lambda: daemon.samples()[series("stale")] == 1)
    assert listed(world, "a.example")
    file(world, "ads", "b.example")
    wait_for(lambda: listed(world, "b.example"))
    wait_for(lambda: daemon.samples()[series("stale")] == 0)


def test_a_bad_file_is_refused_and_a_good_one_heals_it(world):
    path = file(world, "ads", *(f"n{i}.example" for i in range(10)))
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", path)
    daemon = start(world)
    file(world, "ads", "n0.example")  # it lost more than half
    wait_for(lambda: daemon.samples()[series("stale")] == 1)
    assert listed(world, "n9.example") and daemon.get("/healthz")[1] == "ok\n"
    daemon.log.until("list ads: .*lost more than half.*; what it had stays")
    file(world, "ads", *(f"m{i}.example" for i in range(9)))
    wait_for(lambda: listed(world, "m8.example"))


def test_rejected_lines_are_counted(world):
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", file(world, "ads", "a.example", "b.example", "c.example", "not a name"))
    assert start(world).samples()[series("rejected_lines")] == 1


# ---- URLs -----------------------------------------------------------------------------------------


def test_a_url_is_fetched_when_it_is_due(world, site):
    site.pages["/l"] = web.text("old.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", site.url("/l"))
    daemon = start(world)
    site.pages["/l"] = web.text("new.example\n")
    fetches = len(site.seen)
    pretend(world, daemon, "ads", fetched=int(time.time()) - 86400 + 3600)  # a day is the default: an hour is left
    daemon.log.until("configuration applied")
    assert len(site.seen) == fetches
    pretend(world, daemon, "ads", fetched=int(time.time()) - 86401)
    wait_for(lambda: listed(world, "new.example"))
    assert len(site.seen) == fetches + 1


def test_the_default_interval_is_configured(world, site):
    site.pages["/l"] = web.text("old.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", site.url("/l"))
    daemon = start(world, more="  refresh: 6h\n")
    site.pages["/l"] = web.text("new.example\n")
    pretend(world, daemon, "ads", fetched=int(time.time()) - 6 * 3600 - 1)
    wait_for(lambda: listed(world, "new.example"))


def test_when_a_list_is_refreshed_is_the_daemons_word(world, site):
    """Its configuration has the interval and the spread; once it is gone nobody refreshes anything."""
    def shown(name):
        return next(row for row in json.loads(world.cli("list", "ls", "--json").stdout)["lists"] if row["name"] == name)

    site.pages["/l"] = web.text("old.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", site.url("/l"))
    world.cli("list", "add", "own", site.url("/l"), "--refresh", "12h")
    world.cli("list", "add", "local", file(world, "local", "a.example"))
    daemon = start(world, more="  refresh: 6h\n")
    wait_for(lambda: shown("ads")["due"])
    for name, hours in (("ads", 6), ("own", 12)):
        row = shown(name)
        assert row["refreshed_by"] == "clock" and 0 <= row["due"] - row["fetched"] - hours * 3600 <= 1
    assert (shown("local")["due"], shown("local")["refreshed_by"]) == (None, "change")
    daemon.process.kill()
    daemon.process.wait()
    assert (shown("ads")["due"], shown("ads")["refreshed_by"]) == (None, "nobody")


def test_a_list_that_was_only_noted_down_is_fetched(world, site):
    site.pages["/l"] = web.text("a.example\n")
    world.cli("attach", "guarded")
    start(world)
    world.cli("list", "add", "--no-update", "ads", site.url("/l"))
    wait_for(lambda: listed(world, "a.example"))


def test_a_failing_url_keeps_the_list_and_says_so(world, site):
    site.pages["/l"] = web.text("a.example\n")
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", site.url("/l"))
    daemon = start(world)
    before = daemon.samples()
    assert (before[series("stale")], before[series("stale_since_timestamp_seconds")]) == (0, 0)
    assert before[series("update_failures_total")] == 0
    site.pages["/l"] = web.status(503)
    began = int(time.time())
    pretend(world, daemon, "ads", fetched=1)
    wait_for(lambda: daemon.samples()[series("stale")] == 1)
    wait_for(lambda: daemon.samples()[series("update_failures_total")] == 1)
    samples = daemon.samples()
    assert began <= samples[series("stale_since_timestamp_seconds")] <= time.time()
    assert samples[series("last_success_timestamp_seconds")] == 1
    assert listed(world, "a.example") and samples[series("names")] == 1
    assert daemon.get("/healthz")[1] == "ok\n"
    assert status(world, "ads")["state"] == "stale"
    checked = world.cli("status", "--check", check=False)
    assert checked.returncode == 1 and "list ads is stale since" in checked.stdout
    assert "503" in daemon.log.until("list ads: .*; what it had stays")

    site.pages["/l"] = web.text("a.example\nb.example\n")
    fetches = len(site.seen)
    pretend(world, daemon, "ads", attempted=int(time.time()) - 60)  # too early: it waits longer after a failure
    daemon.log.until("configuration applied")
    assert len(site.seen) == fetches
    pretend(world, daemon, "ads", attempted=1)
    wait_for(lambda: listed(world, "b.example"))
    wait_for(lambda: daemon.samples()[series("stale")] == 0)
    assert daemon.samples()[series("stale_since_timestamp_seconds")] == 0
    assert daemon.samples()[series("update_failures_total")] == 1
    assert status(world, "ads")["state"] == "fresh"


def test_many_lists_due_at_once_do_not_run_at_once(world, site):
    """At no moment are two of them asked for."""
    together, most, lock = 0, 0, threading.Lock()

    def page(request):
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.05)  # long enough for another one to come, were there one
        with lock:
            together -= 1
        request.answer(200, f"{request.path[1:]}.example\n".encode())

    world.cli("attach", "guarded")
    names = [f"l{i}" for i in range(20)]
    for name in names:
        site.pages[f"/{name}"] = page
        world.cli("list", "add", "--no-update", name, site.url(f"/{name}"))
    daemon = start(world)
    wait_for(lambda: all(daemon.samples().get(series("names", name)) == 1 for name in names))
    assert most == 1 and len(site.seen) == len(names)


def test_hosts_that_start_together_spread(world, site):
    """Nothing is fetched at the start itself when there is a spread; how late is drawn anew for each list.

    Within a minute after the start one of them falls due in 72 runs, five of them in 10^11.
    """
    def shown():
        rows = json.loads(world.cli("list", "ls", "--json").stdout)["lists"]
        return [(row["due"], row["fetched"]) for row in rows if row["name"] in names]

    site.pages["/l"] = web.text("a.example\n")
    world.cli("attach", "guarded")
    names = [f"l{i}" for i in range(20)]
    for name in names:
        world.cli("list", "add", "--no-update", name, site.url("/l"))
    Daemon(world, config="interfaces: [guarded]\nlists: {spread: 1d}\n").ready()
    path = file(world, "own", "own.example")
    world.cli("list", "add", "own", path)
    file(world, "own", "other.example")
    wait_for(lambda: listed(world, "other.example"))  # by now it has looked at all lists more than once
    wait_for(lambda: all(due for due, _ in shown()))
    later = sorted(due - time.time() for due, fetched in shown() if not fetched and due > time.time())
    assert len(later) > 15 and len(site.seen) < 5
    assert later[-1] <= 86400 and later[-1] - later[0] > 8640


def test_a_slow_server_does_not_hold_up_a_file(world, site):
    site.pages["/slow"] = web.drip
    world.cli("attach", "guarded")
    world.cli("list", "add", "--no-update", "slow", site.url("/slow"))
    path = file(world, "ads", "old.example")
    world.cli("list", "add", "ads", path)
    daemon = start(world)
    wait_for(lambda: site.seen)
    file(world, "ads", "new.example")
    wait_for(lambda: listed(world, "new.example"))
    assert daemon.get("/healthz")[1] == "ok\n"
    assert daemon.stop() == 0  # though that server would go on for ever


# ---- start, end, sudden end -----------------------------------------------------------------------


def test_kept_lists_are_live_before_any_source_is_asked(world, site):
    site.pages["/l"] = web.text("kept.example\n")
    world.cli("list", "add", "ads", site.url("/l"))
    site.pages["/l"] = web.drip
    asked = len(site.seen)
    pretended = json.loads(meta(world, "ads").read_text())
    meta(world, "ads").write_text(json.dumps({**pretended, "fetched": 1}))
    start(world)
    assert listed(world, "kept.example")  # READY came, and the server has not answered yet
    wait_for(lambda: len(site.seen) > asked)
    assert listed(world, "kept.example")


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], text=True, capture_output=True).stdout.split()
    return [int(word) for word in found]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def test_killed_in_mid_update_and_started_again(world, site):
    """The image is the old or the new one, never half of either; the next daemon brings the new one."""
    site.pages["/l"] = web.text("".join(f"old{i}.example\n" for i in range(2000)))
    world.cli("attach", "guarded")
    world.cli("list", "add", "ads", site.url("/l"))
    site.pages["/l"] = web.text("".join(f"new{i}.example\n" for i in range(2000)))
    dice = random.Random(4)
    for _ in range(5):
        asked, daemon = len(site.seen), start(world)
        pretend(world, daemon, "ads", fetched=1, etag="")
        wait_for(lambda: len(site.seen) > asked or children(daemon.process.pid))
        time.sleep(dice.uniform(0, 0.2))  # the random moment; nothing is waited for
        daemon.kill(signal.SIGSTOP)
        running = children(daemon.process.pid)
        daemon.stop(signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in running))  # a run that is under way goes on to its end
        assert listed(world, "old0.example") != listed(world, "new0.example")
        assert listed(world, "old1999.example") != listed(world, "new1999.example")
        assert world.status()["names"]["listed"] == 2000
    start(world)
    wait_for(lambda: listed(world, "new7.example"))
    assert not listed(world, "old7.example")
    assert not list(meta(world, "ads").parent.glob("candidate*"))


# ---- zones from a primary -------------------------------------------------------------------------

ZONE = "rpz.example"
NOTIFIED = "127.0.0.1@5301"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="


class Primary:
    """Knot DNS on the guarded namespace's loopback; NOTIFY goes to where the daemon is told to hear it."""

    def __init__(self, world):
        self.world, self.dir, self.serial, self.timers = world, Path(world.dir) / "knot", 0, "86400 600 864000 60"
        self.dir.mkdir()
        (self.dir / "knot.conf").write_text(f"""
server:
    rundir: "{self.dir}"
    listen: 127.0.0.1@5300
    udp-workers: 1
    tcp-workers: 1
    tcp-io-timeout: 30000  # half a second is its default: less than a busy machine may take to read
    background-workers: 1
database:
    storage: "{self.dir}"
remote:
  - id: guard
    address: {NOTIFIED}
    via: 127.0.0.1
acl:
  - id: fleet
    address: 127.0.0.1
    action: transfer
zone:
  - domain: {ZONE}
    file: "{self.dir}/zone"
    acl: fleet
    notify: guard
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
""")

    def write(self, *names):
        self.serial += 1
        text = f"$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns h {self.serial} {self.timers}\n@ NS ns\nns A 127.0.0.1\n"
        (self.dir / "zone").write_text(text + "".join(f"{name} CNAME .\n" for name in names))

    def control(self, *words):
        done = subprocess.run(["knotc", "-s", self.dir / "knot.sock", *words], text=True, capture_output=True, timeout=PATIENCE)
        return done.stdout if done.returncode == 0 else ""

    def start(self, *names):
        self.write(*names)
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.world.inside.enter("knotd", "-c", self.dir / "knot.conf"), stdout=log, stderr=log)
        wait_for(lambda: f"serial: {self.serial}" in self.control("zone-status", ZONE))

    def change(self, *names):
        self.write(*names)
        self.control("-b", "zone-reload", ZONE)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture
def primary(world):
    made = Primary(world)
    made.start("a.example", "b.example")
    yield made
    made.stop()


FOLLOW = f"  notify: [policy={NOTIFIED.replace('@', ':')}]\n"
SOURCE = f"axfr://127.0.0.1:5300/{ZONE}"


@pytest.mark.parametrize("wrap", ["root", "sandboxed"])
def test_a_notify_makes_the_new_zone_live(world, primary, wrap):
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    assert listed(world, "a.example")
    daemon = start(world, more=FOLLOW, **({"wrap": ()} if wrap == "root" else {}))
    zone = meta(world, "policy").parent / "zone"
    wait_for(zone.exists)
    primary.change("a.example", "b.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))
    primary.change("a.example", "c.example")
    wait_for(lambda: not listed(world, "b.example"))
    assert listed(world, "a.example")
    assert daemon.samples()[series("names", "policy")] == 2


def test_a_zone_that_was_only_noted_down_comes_by_its_follower(world, primary):
    """The pipeline takes over what the follower has brought: the zone is transferred once."""
    world.cli("attach", "guarded")
    start(world, more=FOLLOW)
    world.cli("list", "add", "--no-update", "policy", SOURCE)
    wait_for(lambda: listed(world, "a.example"))
    folder = meta(world, "policy").parent
    wait_for((folder / "content").exists)  # the disk follows the kernel
    assert (folder / "content").read_bytes() == (folder / "zone").read_bytes()


def test_the_follower_ends_with_the_daemon(world, primary):
    """Also when the daemon is killed: nobody is left who keeps the port and writes the zone."""
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    for number in (signal.SIGTERM, signal.SIGKILL):
        daemon = start(world, more=FOLLOW)
        wait_for(lambda: any(children(pid) for pid in followers(daemon)))  # with the keeper of its file
        (follower,) = followers(daemon)
        (keeper,) = children(follower)
        daemon.stop(number)
        wait_for(lambda: not alive(follower) and not alive(keeper))
    daemon = start(world, more=FOLLOW)
    primary.change("a.example", "b.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def followers(daemon):
    return [pid for pid in children(daemon.process.pid) if b"dnsguard-transfer" in command(pid)]


def test_a_follower_that_dies_is_started_again(world, primary):
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    daemon = start(world, more=FOLLOW)
    wait_for(lambda: followers(daemon))
    (first,) = followers(daemon)
    os.kill(first, signal.SIGKILL)
    daemon.log.until(r"list policy: dnsguard-transfer ended \(Killed\); it is started again in 2 s")
    wait_for(lambda: followers(daemon) not in ([], [first]))
    primary.change("a.example", "b.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))


def test_a_zone_whose_primary_is_gone(world, primary):
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    added = attempts(world, "policy")
    daemon = start(world, more=FOLLOW)
    wait_for(lambda: attempts(world, "policy") != added)  # the pipeline has taken over what the follower brought
    primary.stop()
    pretend(world, daemon, "policy", fetched=1, attempted=int(time.time()) + 60)
    wait_for(lambda: daemon.samples()[series("stale", "policy")] == 1)
    assert listed(world, "a.example") and daemon.get("/healthz")[1] == "ok\n"
    primary.start("a.example", "b.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))
    wait_for(lambda: daemon.samples()[series("stale", "policy")] == 0)


def test_a_zone_that_expires(world, primary):
    """What the follower says counts, though the clock of the list is far from due."""
    primary.timers = "1 1 8 60"
    primary.change("a.example", "b.example", "c.example")
    world.cli("attach", "guarded")
    world.cli("list", "add", "--refresh", "1d", "policy", SOURCE)
    daemon = start(world, more=FOLLOW)
    wait_for((meta(world, "policy").parent / "zone").exists)
    wait_for(lambda: daemon.samples()[series("stale", "policy")] == 0)  # it may have been too old when its follower came
    daemon.log.rest_of()
    primary.stop()
    daemon.log.until("list policy: the zone has expired")
    wait_for(lambda: daemon.samples()[series("stale", "policy")] == 1)
    assert listed(world, "a.example")
    primary.start("a.example", "b.example", "d.example")
    wait_for(lambda: listed(world, "d.example"))
    wait_for(lambda: daemon.samples()[series("stale", "policy")] == 0)


def test_a_reload_opens_and_closes_the_ear(world, primary):
    """The follower is started anew with what the configuration says; the list stays as it is."""
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    daemon = start(world)
    wait_for(lambda: followers(daemon))
    assert b"--listen" not in command(*followers(daemon))
    for more, hears in ((FOLLOW, True), ("", False), (FOLLOW, True)):
        world.config(CONFIG.format(more))
        daemon.kill(signal.SIGHUP)
        daemon.log.until("configuration applied")
        wait_for(lambda: [b"--listen" in command(pid) for pid in followers(daemon)] == [hears])
    assert listed(world, "a.example")
    primary.change("a.example", "b.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))


def test_a_list_and_its_zone_with_a_key(world, primary):
    """The key is read with the service's few rights, and is the follower's and the pipeline's alike."""
    key = Path(world.dir) / "key"
    key.write_text(f'key "k.example" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n')
    key.chmod(0o600)
    primary.stop()
    conf = primary.dir / "knot.conf"
    conf.write_text(f"key:\n  - id: k.example\n    algorithm: hmac-sha256\n    secret: {SECRET}\n" +
                    conf.read_text().replace("    address: 127.0.0.1\n    action", "    key: k.example\n    action"))
    primary.start("a.example")
    world.cli("attach", "guarded")
    daemon = start(world, more=FOLLOW)
    world.cli("list", "add", "--no-update", "--tsig-file", key, "policy", SOURCE)
    wait_for(lambda: listed(world, "a.example"))
    wait_for(lambda: followers(daemon))
    primary.change("a.example", "c.example")
    wait_for(lambda: listed(world, "c.example"))
    assert SECRET.encode() not in command(*followers(daemon))


def test_the_follower_goes_with_its_list(world, primary):
    world.cli("attach", "guarded")
    world.cli("list", "add", "policy", SOURCE)
    daemon = start(world, more=FOLLOW)
    wait_for(lambda: followers(daemon))
    world.cli("list", "rm", "policy")
    wait_for(lambda: not children(daemon.process.pid))  # ended, and buried
    assert not listed(world, "a.example")


# ---- metrics --------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_rows_of_lists_please_prometheus(world, accept):
    world.cli("attach", "guarded")
    for name in ("ads", "own#1"):
        world.cli("list", "add", name, file(world, name, f"{name.strip('#1')}.example"))
    daemon = start(world)
    body = daemon.get("/metrics", Accept=accept)[1]
    assert 'dnsguard_list_stale{list="own#1"} 0' in body
    if accept == "text/plain":
        linted = subprocess.run(["promtool", "check", "metrics"], input=body, text=True, capture_output=True)
        assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")
    else:
        assert "# TYPE dnsguard_list_update_failures counter\n" in body and body.endswith("# EOF\n")
