"""dnsguard top on a terminal of 80 columns and 24 lines, and on smaller ones: what stands there, and what keys do."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import termios
import time
from pathlib import Path

import pyte
import pytest

from guarded import CLI, CLIENT, PATIENCE, QUERY, SERVER, Daemon, wait_for


class Terminal:
    """A terminal with a program in it, as a person sees it."""

    def __init__(self, argv, columns=80, lines=24):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # The parent sets the size before it lets this go on: what is read first is its word.
            os.read(0, 1)
            os.environ["TERM"] = "linux"
            os.execvp(argv[0], [str(word) for word in argv])
        self.resize(columns, lines)
        os.write(self.fd, b"\n")

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def look(self):
        """Reads what there is; False: the program has ended."""
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            self.stream.feed(os.read(self.fd, 65536))
        except OSError:
            return False
        return True

    def is_drawn(self):
        """The program waits for keys, and nothing more is on its way: what was seen is not half a screen."""
        asleep = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"
        return asleep and not select.select([self.fd], [], [], 0.1)[0]

    def until(self, seen):
        """Waits until the screen is so; seen is a text, or a question about the lines."""
        deadline = time.monotonic() + PATIENCE
        ask = seen if callable(seen) else lambda lines: any(seen in line for line in lines)
        while not (ask(self.screen.display) and self.is_drawn()):
            assert self.look(), "it ended:\n" + "\n".join(self.screen.display)
            assert time.monotonic() < deadline, f"not seen: {seen}\n" + "\n".join(self.screen.display)
        return self.screen.display

    def type(self, keys):
        os.write(self.fd, keys)

    def ended(self):
        deadline = time.monotonic() + PATIENCE
        while self.look():
            assert time.monotonic() < deadline
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


@pytest.fixture
def syslog(world):
    """The receiving end of syslog(3), for programs that are started through its words()."""
    with Syslog(f"{world.dir}/log") as receiver:
        yield receiver


class Syslog(socket.socket):
    def __init__(self, path):
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.bind(path)
        self.settimeout(PATIENCE)

    @staticmethod
    def words(path):
        """Runs what follows where /dev holds nothing but that socket, as log."""
        return ("unshare", "--mount", "sh", "-c",
                f'mount -t tmpfs dev /dev && : >/dev/log && mount --bind {path} /dev/log && exec "$@"', "sh")


@pytest.fixture
def top(world):
    opened = []

    def start(**size):
        log = f"{world.dir}/log"
        argv = world.inside.enter(*(Syslog.words(log) if os.path.exists(log) else ()), CLI, "--bpffs", world.bpffs,
                                  "--state-dir", f"{world.dir}/state", "top")
        opened.append(Terminal(argv, **size))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def asked(world, count, verdict):
    """So many queries, which have this verdict by now: what is said next is not said of them."""
    before = world.frames(verdict)
    world.query(count=count)
    wait_for(lambda: world.frames(verdict) == before + count)


def refuse_queries(world):
    world.cli("limit", "set", "--rate-limit", "1", "--instant-limit", "1", "--slip", "0")
    world.query(count=30)


def test_shows_devices_and_tables(world, top):
    terminal = top()
    lines = terminal.until("guarded         enforcing")
    assert lines[1].startswith("passed ") and lines[-1].startswith("1-5 table")
    world.query(count=5)
    terminal.type(b"5")
    row, = [line for line in terminal.until(lambda lines: any("pass_clean" in l and " 5 " in l for l in lines)) if "pass_clean" in line]
    assert row.split()[2] == "5"
    world.cli("block", "www.example")
    world.query(count=16)  # with IDs 0 to 15: two of them are noted
    terminal.type(b"4")
    terminal.until(lambda lines: any(line.split()[:3] == ["operator", "1", "16"] for line in lines))
    terminal.type(b"3")
    terminal.until(lambda lines: any(line.split() == ["www.example", "16"] for line in lines))
    world.cli("allow", "www.example")
    asked(world, 8, "pass_allowed")  # not a blocked name any more
    world.cli("unblock", "www.example")
    world.cli("block", "example", "--force")
    world.query(count=8)
    terminal.until(lambda lines: any(line.split() == ["example", "8"] for line in lines))
    assert any(line.split() == ["www.example", "16"] for line in terminal.screen.display)


def test_keeps_within_80_columns(world, top):
    refuse_queries(world)
    terminal = top()
    terminal.until(CLIENT)
    for key in b"12345?":
        terminal.type(bytes([key]))
        terminal.until(lambda lines: lines[-1].strip())
        assert all(len(line) == 80 for line in terminal.screen.display)


@pytest.mark.parametrize("columns,lines", [(40, 10), (20, 5), (10, 2), (200, 60)])
def test_any_size_is_survived(world, top, columns, lines):
    terminal = top(columns=columns, lines=lines)
    terminal.until(lambda shown: shown[0].startswith("dnsguard"[:columns]))
    terminal.type(b"5jjk\x1bs?q")
    assert terminal.ended() == 0


def test_sorts_and_filters(world, top):
    asked(world, 3, "pass_clean")
    world.cli("block", "www.example")
    asked(world, 9, "reply_sinkhole")
    terminal = top()
    terminal.type(b"5s")
    lines = terminal.until("*VERDICT")
    shown = [line.split()[0] for line in lines if line.startswith((" pass_", " reply_", " drop_"))]
    assert shown == sorted(shown) and {"pass_clean", "reply_sinkhole"} <= set(shown)
    terminal.type(b"/reply")
    terminal.until("filter: reply_")
    terminal.type(b"\r")
    lines = terminal.until(lambda lines: "(reply)" in lines[-1])
    assert [line.split()[0] for line in lines if line.startswith((" pass_", " reply_", " drop_"))] == ["reply_sinkhole"]
    terminal.type(b"\x1b")
    terminal.until(lambda lines: "(reply)" not in lines[-1] and any("pass_clean" in line for line in lines))


def test_shows_verdicts_of_each_device(world, top):
    world.make_device("second", "peer2")
    world.cli("attach", "second")
    world.query(count=3)
    terminal = top()
    terminal.type(b"5")
    terminal.until("n: of all devices")
    for device, seen in (("guarded", True), ("second", False), ("all devices", True)):
        terminal.type(b"n")
        terminal.until(lambda lines: any(f"n: of {device}" in line for line in lines)
                       and any("pass_clean" in line for line in lines) == seen)


def test_bans_after_a_question(world, top, syslog):
    refuse_queries(world)
    terminal = top()
    terminal.until(CLIENT)
    terminal.type(b"b")
    terminal.until(f"Ban {CLIENT} for 10 minutes? y or n")
    terminal.type(b"n")
    terminal.until("1-5 table")
    assert CLIENT not in world.cli("source", "show").stdout
    world.query(count=30)  # who was refused is shown for ten seconds
    terminal.until(CLIENT)
    terminal.type(b"b")
    terminal.until("y or n")
    terminal.type(b"y")
    terminal.until(f"{CLIENT} is banned for 10 minutes")
    assert f"source ban {CLIENT} --for 10m (a key in top), by " in syslog.recv(4096).decode()
    assert CLIENT in world.cli("source", "show").stdout
    before = world.frames("drop_banned")
    world.query(count=2)
    wait_for(lambda: world.frames("drop_banned") == before + 2)


def test_exempts_after_a_question(world, top, syslog):
    refuse_queries(world)
    terminal = top()
    terminal.until(CLIENT)
    terminal.type(b"ey")
    terminal.until(f"{CLIENT} is exempt for 10 minutes")
    before = world.frames("pass_clean")
    world.query(count=20)
    wait_for(lambda: world.frames("pass_clean") == before + 20)
    assert re.search(rf"dnsguard\[\d+\]: source exempt {CLIENT}(/32)? --for 10m \(a key in top\), by \S+", syslog.recv(4096).decode())


def test_a_key_without_a_sender_says_so(world, top):
    terminal = top()
    terminal.until("nobody in the last 10 seconds")
    terminal.type(b"3b")
    terminal.until("choose a sender first")


def test_stands_still_when_told(world, top):
    terminal = top()
    terminal.type(b"5 ")
    terminal.until("(standing still)")
    world.query(count=4)
    wait_for(lambda: world.frames("pass_clean") == 4)
    terminal.type(b"/x")  # it still hears keys
    terminal.until("filter: x_")
    assert not any("pass_clean" in line for line in terminal.screen.display)
    terminal.type(b"\x1b ")
    terminal.until("pass_clean")


def test_leaves_the_terminal_as_it_was(world, top):
    terminal = top()
    terminal.until("guarded")
    during = termios.tcgetattr(terminal.fd)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 0
    after = termios.tcgetattr(terminal.fd)
    assert during[3] & (termios.ICANON | termios.ECHO) == 0  # while it ran it had the keys for itself
    assert after[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO
    assert not terminal.screen.cursor.hidden


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ends_by_a_signal(world, top, number):
    terminal = top()
    terminal.until("guarded")
    os.kill(terminal.pid, number)
    assert terminal.ended() == 0


def test_hears_of_another_size(world, top):
    terminal = top()
    terminal.until("guarded")
    for columns, lines in ((120, 40), (24, 8), (80, 24)):
        terminal.resize(columns, lines)
        last = lines - 1
        terminal.until(lambda shown: shown[last].startswith("1-5 table") and shown[0].startswith("dnsguard"))
    terminal.until("guarded         enforcing")


def test_goes_on_when_the_device_is_let_go(world, top):
    """Its tables are what it looked at; that the device is not guarded any more is said."""
    terminal = top()
    terminal.until("enforcing")
    world.cli("detach", "guarded")
    terminal.until("no device is guarded")
    terminal.type(b"q")
    assert terminal.ended() == 0


def test_a_terminal_that_nobody_knows_gets_lines(world):
    terminal = Terminal(world.inside.enter("env", "TERM=no-such-terminal", CLI, "--bpffs", world.bpffs, "top"))
    terminal.until("1 device, passed")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 0
    terminal.close()


LISTENER = f"{SERVER}:53"


def write_down(world):
    """What a daemon keeps of a listener, and of two alerts about it."""
    name, state = LISTENER, Path(world.dir) / "state"
    (state / "pressure.json").write_text(json.dumps({"schema": 1, "warning_at": 60, "critical_at": 90, "listeners": [
        {"listener": name, "state": "critical", "quota": 4, "quota_shared": False, "pid": 1, "resolver": "named"}]}))
    (state / "alerts.json").write_text(json.dumps({"schema": 1, "sinks": [], "alerts": [
        {"alert": "DnsguardTcpQuota", "severity": "critical", "listener": name, "firing": True, "starts": 1},
        {"alert": "DnsguardOver", "severity": "warning", "listener": name, "firing": False, "starts": 1}]}))


@contextlib.contextmanager
def one_connection(world):
    with world.inside.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((SERVER, 53))
        listener.listen(8)
        with world.outside.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
            one.connect((SERVER, 53))
            yield


def listener_row(lines):
    row, = [line for line in lines if line.startswith(LISTENER)]
    return row


def test_shows_the_quota_and_what_fires(world, top):
    """Connections are live, the quota and alerts are what the daemon has written down: one that stands still, so that it does not go on."""
    daemon = Daemon(world, "--interface", "guarded").ready()
    daemon.kill(signal.SIGSTOP)
    write_down(world)
    with one_connection(world):
        terminal = top()
        lines = terminal.until("ALERT DnsguardTcpQuota")
        assert listener_row(lines).split()[:2] == [LISTENER, "critical"]
        assert "[###    |  ! ] 1 of 4  queue 1/8" in listener_row(lines)
        assert not any("DnsguardOver" in line or "dnsguardd" in line for line in lines)
        plain = world.cli("top", "--once").stdout.splitlines()
        assert [line.split() for line in plain if "DnsguardTcpQuota" in line] == [["DnsguardTcpQuota", "critical"]]
        assert listener_row(plain).split()[:4] == [LISTENER, "critical", "1", "4"]
    daemon.stop(signal.SIGKILL)
    terminal.until("dnsguardd not running")


def test_what_a_daemon_has_left_behind_is_no_state(world, top):
    """Nobody watches: what was critical may be over, and an alert that stands in a file is not firing."""
    write_down(world)
    with one_connection(world):
        lines = top().until("dnsguardd not running: states are not known and nobody is told of any")
        assert listener_row(lines).split()[1] == "unknown" and "1 of 4" in listener_row(lines)
        assert not any("ALERT" in line for line in lines)
    assert re.search("^dnsguardd +not running", world.cli("top", "--once").stdout, re.M)
    assert json.loads(world.cli("top", "--once", "--json").stdout)["alerts"] == []


def limit_many(world, count):
    """So many senders over their limit, each more often than the one before."""
    world.outside.ip("route", "add", "local", "198.18.0.0/16", "dev", "lo")
    world.inside.ip("route", "add", "198.18.0.0/16", "dev", "guarded")
    world.cli("limit", "set", "--rate-limit", "1", "--instant-limit", "1", "--slip", "0")
    for number in range(count):
        with world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((f"198.18.{number >> 8}.{number & 255}", 0))
            for _ in range(5):
                sender.sendto(QUERY, (SERVER, 53))


def chosen(terminal):
    """The only row of the screen that is marked: its first word."""
    marked = [y for y in range(terminal.screen.lines) if all(terminal.screen.buffer[y][x].reverse for x in range(80))]
    return terminal.screen.display[marked[0]].split()[0] if len(marked) == 1 else None


def test_a_thousand_limited_sources(world, top):
    """The heaviest ten are shown, how many there are is said, and keys still choose one of them."""
    limit_many(world, 1000)
    terminal = top()
    lines = terminal.until(lambda lines: sum(" 198.18." in line for line in lines) == 10 or " 198.18." in " ".join(lines))
    limited = int(lines[1].split("limited ")[1])
    assert limited > 100 and all(len(line) == 80 for line in lines)
    rows = [line.split()[0] for line in lines if " 198.18." in line]
    assert len(rows) == 10 and chosen(terminal) == rows[0]


def test_keys_choose_a_row(world, top):
    limit_many(world, 12)
    terminal = top()
    terminal.type(b" ")
    lines = terminal.until("(standing still)")
    rows = [line.split()[0] for line in lines if " 198.18." in line]
    assert len(rows) == 10
    for key, row in ((b"j", 1), (b"\x1b[B", 2), (b"k", 1), (b"\x1b[A", 0), (b"k", 0), (b"\x1b[4~", 9), (b"j", 9), (b"\x1b[1~", 0),
                     (b"\x1b[6~", 9), (b"\x1b[5~", 0)):
        terminal.type(key)
        terminal.until(lambda _: chosen(terminal) == rows[row])


TABLES = ("1 limited senders", "2 senders of SYNs", "3 blocked names", "4 lists", "5 verdicts")


def shown_table(terminal):
    """The one whose name is bold."""
    y, = [y for y, line in enumerate(terminal.screen.display) if line.startswith(TABLES[0])]
    x = [terminal.screen.display[y].index(table) for table in TABLES]
    table, = [table for table, at in zip(TABLES, x) if terminal.screen.buffer[y][at].bold]
    return table


def test_tab_goes_through_the_tables_and_help_comes_and_goes(world, top):
    terminal = top()
    terminal.until(TABLES[-1])
    for table in (*TABLES[1:], TABLES[0]):
        terminal.type(b"\t")
        terminal.until(lambda _: shown_table(terminal) == table)
    for key in (b"?", b"h"):
        terminal.type(key)
        terminal.until("which table is shown")
        terminal.type(key)
        terminal.until(lambda lines: not any("which table is shown" in line for line in lines))
    terminal.type(b"q")
    assert terminal.ended() == 0
