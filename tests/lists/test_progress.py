"""How far a long run is: on a terminal a line that renews itself and goes; elsewhere nothing for what is short."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

import server as web
from house import BUILD, CLI, OK, PATIENCE

LINE = "name{}.example\n"
QUIET_S, LOG_EVERY_S = 1, 10  # userspace/dnsguard/progress.c: what takes less says nothing, on a terminal and elsewhere


@pytest.fixture
def slow():
    """A server that takes four seconds for a list, or two, in twenty pieces."""
    made = web.Server()

    def page(request, pause):
        content = "".join(LINE.format(i) for i in range(2000)).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        for at in range(0, len(content), len(content) // 20):
            request.wfile.write(content[at:at + len(content) // 20])
            request.wfile.flush()
            made.stopping.wait(pause)

    made.pages["/slow"] = lambda request: page(request, 0.2)
    made.pages["/short"] = lambda request: page(request, 0.1)
    made.pages["/quick"] = web.text("a.example\n")
    yield made
    made.close()


def on_a_terminal(argv):
    """(exit status, standard output, what the terminal got as standard error)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], PATIENCE)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    out = process.stdout.read()
    process.stdout.close()
    return process.wait(PATIENCE), out, said.decode()


def test_a_bar_on_a_terminal(room, slow):
    status, out, said = on_a_terminal(room.argv("list", "add", "l", slow.url("/slow")))
    assert status == OK and "2000" in out
    shares = [int(share) for share in re.findall(r"fetch l \[#+\.*\] (\d+)% [\d.]+ KiB of [\d.]+ KiB", said)]
    assert len(shares) >= 2 and shares == sorted(shares)
    assert re.search(r"\d+s left", said)
    assert "memory needed 195.3 KiB, allowed " in said  # before anything is compiled
    assert "\n" not in said and said.rsplit("\r", 2)[1].strip() == ""  # it is gone in the end


def test_what_is_quick_shows_none(room, slow):
    began = time.monotonic()
    status, _, said = on_a_terminal(room.argv("list", "add", "l", slow.url("/quick")))
    assert status == OK and (said == "" or time.monotonic() - began > QUIET_S)  # on this machine it may not be quick


def test_nothing_but_the_result_in_a_pipe(room, slow):
    began = time.monotonic()
    done = room.cli("list", "add", "l", slow.url("/short"))
    assert not re.search("fetch l", done.stdout + done.stderr) or time.monotonic() - began > LOG_EVERY_S


HASTY = """#!/usr/bin/python3
import os, sys
line = b'{"phase":"read","list":"l","bytes":1,"bytes_total":2,"lines":3}\\n'
os.write(int(sys.argv[sys.argv.index("--progress-fd") + 1]), line * 200)
os.execv(%r, sys.argv)
"""


def test_lines_that_waited_for_a_reader(room):
    """Whoever could not listen for a while, as on a terminal that was stopped, hears them all at once."""
    room.dir.chmod(0o755)
    shutil.copy(CLI, room.dir / "dnsguard")
    helper = room.dir / "dnsguard-compile"
    helper.write_text(HASTY % str(BUILD / "dnsguard-compile"))
    helper.chmod(0o755)
    argv = [str(room.dir / "dnsguard") if word == str(CLI) else word for word in room.argv("list", "add", "l", room.file("l", "a.example"))]
    done = subprocess.run(argv, text=True, capture_output=True, timeout=PATIENCE)
    assert done.returncode == OK, done
