"""The daily history: written by the daemon, read by `dnsguard report tcp` with or without it."""

import datetime
import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from guarded import CLI, Daemon, run, wait_for

DAYS = [("2026-11-17", 1000, 100, 40), ("2026-11-23", 2000, 10, 7), ("2026-11-24", 5000, 2500, 150)]
NAMES = [("2026-11-17", "old.example", 16, 90), ("2026-11-23", "yesterday.example", 255, 9),
         ("2026-11-24", "big.example", 48, 2000), ("2026-11-24", "big.example", 65280, 400)]


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """Days begin at local midnight: here it is the hour from noon on, whenever the tests run, and none of them sees two days."""
    monkeypatch.setenv("TZ", f"HERE{time.gmtime().tm_hour - 12:+d}")  # POSIX: hours west
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def database(world):
    return Path(world.dir, "state", "history.db")


def today(world):
    """The days so far; none while the daemon has not made the file or its tables yet."""
    try:
        return days(world)
    except sqlite3.OperationalError:
        return []


def days(world):
    with sqlite3.connect(f"file:{database(world)}?mode=ro", uri=True) as db:
        return db.execute("SELECT date, queries, tcp_queries FROM days").fetchall()


def test_the_daemon_writes_what_came(world):
    daemon = Daemon(world, config="interfaces: [guarded]\n").ready()
    wait_for(lambda: today(world))  # the first sample: where the counters stand
    world.query(count=5)
    wait_for(lambda: daemon.packets("pass_clean") >= 5)
    daemon.stop(signal.SIGTERM)  # writes the last minute
    date = datetime.date.today().isoformat()
    assert today(world) == [(date, 5, 0)]
    report = json.loads(world.cli("report", "tcp", "--json").stdout)
    assert [(row["date"], row["queries"], row["tcp_queries"]) for row in report["days"]] == [(date, 5, 0)]
    again = Daemon(world, config="interfaces: [guarded]\n").ready()
    again.stop(signal.SIGTERM)
    assert today(world) == [(date, 5, 0)]  # a restart counts nothing twice


def test_a_damaged_history_is_put_aside(world):
    database(world).write_bytes(b"no database" * 1000)
    daemon = Daemon(world, config="interfaces: [guarded]\n").ready()
    daemon.log.until(r"history: .*history\.db was damaged, is kept as history\.db\.broken")
    assert database(world).with_suffix(".db.broken").read_bytes().startswith(b"no database")
    assert len(today(world)) == 1


def kept(tmp_path):
    with sqlite3.connect(tmp_path / "history.db") as db:
        db.execute("CREATE TABLE days (date TEXT PRIMARY KEY, queries, tcp_queries, tcp_peak) WITHOUT ROWID")
        db.execute("CREATE TABLE names (date, name, qtype, queries, PRIMARY KEY (date, name, qtype)) WITHOUT ROWID")
        db.executemany("INSERT INTO days VALUES (?, ?, ?, ?)", DAYS)
        db.executemany("INSERT INTO names VALUES (?, ?, ?, ?)", NAMES)
    return tmp_path


def report(state, *args, check=True):
    return run(CLI, "--state-dir", state, "report", "tcp", *args, check=check)


def test_days_and_names_of_two_of_them(tmp_path):
    state = kept(tmp_path)
    shown = report(state, "--since", "2026-11-01", "--compare", "2026-11-17").stdout
    rows = [line.split() for line in shown.splitlines()]
    assert ["2026-11-24", "2500", "5000", "50.00", "%", "150"] in rows
    assert ["2026-11-17", "100", "1000", "10.00", "%", "40"] in rows
    assert ["2026-11-24", "2026-11-17"] in rows
    assert ["1", "big.example", "DNSKEY", "2000", "old.example", "TXT", "90"] in rows
    assert ["2", "big.example", "TYPE65280", "400"] in rows
    told = json.loads(report(state, "--since", "2026-11-18", "--json").stdout)
    assert [day["date"] for day in told["days"]] == ["2026-11-23", "2026-11-24"]
    assert (told["days"][1]["tcp_share"], told["days"][1]["peak_connections"]) == (0.5, 150)
    assert (told["date"], told["compare"]) == ("2026-11-24", "2026-11-23")  # the last one, and the one before
    assert told["compare_names"] == [{"name": "yesterday.example", "type": "ANY", "queries": 9}]


def test_days_without_a_line_are_told(tmp_path):
    state = kept(tmp_path)
    shown = report(state, "--since", "2026-11-01").stdout
    assert "nothing was recorded between 2026-11-17 and 2026-11-23: 5 days\n" in shown and shown.count("recorded") == 1
    told = json.loads(report(state, "--since", "2026-11-01", "--json").stdout)
    assert told["gaps"] == [{"after": "2026-11-17", "before": "2026-11-23", "days": 5}]
    for day, near in (("2026-11-20", "2026-11-17 and 2026-11-23"), ("2026-11-25", "2026-11-24"), ("2026-11-01", "2026-11-17")):
        none = report(state, "--compare", day, check=False)
        assert (none.returncode, none.stdout) == (4, "")
        assert none.stderr == f"dnsguard: --compare: nothing was recorded on {day}; recorded next to it: {near}\n"


def test_what_is_wrong_is_told(tmp_path):
    none = report(tmp_path, check=False)
    assert none.returncode == 4 and "there is no history yet" in none.stderr
    state = kept(tmp_path)
    for word in ("yesterday", "2026-02-30", "2026-1-1"):
        wrong = report(state, "--since", word, check=False)
        assert wrong.returncode == 2 and f'--since "{word}": use a date like 2026-11-24, or a time ago like 7d' in wrong.stderr
    assert "no day is known since then" in report(state, "--since", "2030-01-01").stdout
    (state / "history.db").write_bytes(b"no database" * 100)
    broken = report(state, check=False)
    assert broken.returncode == 1 and "history.db: file is not a database; dnsguardd puts it aside" in broken.stderr


def test_somebody_else_is_told_how(tmp_path):
    state = kept(tmp_path)
    (state / "history.db").chmod(0o600)
    for path in (state, *state.parents):
        if path.owner() == "root" and path != Path("/") and str(path).startswith(str(tmp_path.parents[1])):
            path.chmod(0o755)
    denied = run("setpriv", "--reuid=65534", "--clear-groups", CLI, "--state-dir", state, "report", "tcp", check=False)
    assert denied.returncode == 1 and "unable to open database file; run it as root, with sudo" in denied.stderr


@pytest.fixture
def disk(world):
    """A file system of its own for the state directory, small enough to be filled."""
    run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", f"{world.dir}/state")
    yield Path(world.dir, "state")
    run("umount", "-l", f"{world.dir}/state")


@pytest.mark.parametrize("spoil, mend, said", [
    (lambda disk: fill(disk), lambda disk: (disk / "filler").unlink(), "full; make room, it goes on by itself"),
    (lambda disk: run("mount", "-o", "remount,ro", disk), lambda disk: run("mount", "-o", "remount,rw", disk),
     "readonly database; make it writable"),
], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_costs_a_line_of_log_and_no_day(world, disk, spoil, mend, said):
    daemon = Daemon(world, config="interfaces: [guarded]\n").ready()
    wait_for(lambda: today(world))
    before = database(world).read_bytes()
    world.query(count=5)
    wait_for(lambda: daemon.packets("pass_clean") >= 5)
    spoil(disk)
    assert daemon.stop(signal.SIGTERM) == 0  # writes the last minute, or would
    daemon.log.until("history: .*" + said)
    assert database(world).read_bytes() == before and not (disk / "history.db.broken").exists()
    assert world.cli("report", "tcp").returncode == 0
    mend(disk)
    Daemon(world, config="interfaces: [guarded]\n").ready().stop(signal.SIGTERM)
    assert today(world) == [(datetime.date.today().isoformat(), 5, 0)]


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
