"""dnsguard-transfer as a test runs it: once, or for long with its events read line by line."""

import json
import os
import select
import subprocess
import time
from pathlib import Path

from primaries import DEADLINE, PRIMARY, SECONDARY, ZONE

PROGRAM = str(Path(os.environ.get("DG_BUILD", "build")) / "dnsguard-transfer")


def once(output, *more, wrapper=(), check=True, primary=PRIMARY, **kwargs):
    """One check with --json: its event; with check=False the finished process."""
    done = subprocess.run([*wrapper, PROGRAM, "--zone", ZONE, "--primary", primary, "--once", "--json",
                           "--output", str(output), *more],
                          capture_output=True, text=True, timeout=3 * DEADLINE, check=False, **kwargs)
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Follower:
    """The long-running mode."""

    def __init__(self, output, *more, listen=SECONDARY, primary=PRIMARY):
        words = [PROGRAM, "--zone", ZONE, "--primary", primary, "--output", str(output), *more]
        self.process = subprocess.Popen(words + ["--listen", listen] * bool(listen), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.seen = []
        self.rest = b""

    def line(self, end):
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            assert ready, f"no event in time; so far: {self.seen}"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"it ended; so far: {self.seen}; {self.process.stderr.read().decode()}"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def event(self, name, deadline=DEADLINE, **fields):
        """The next event of this name whose fields are so; others before it are kept in .seen."""
        end = time.monotonic() + deadline
        while True:
            event = json.loads(self.line(end))
            self.seen.append(event)
            if event["event"] == name and all(event[key] == value for key, value in fields.items()):
                return event

    def silent(self, seconds):
        """Nothing is said for so long."""
        return not self.rest and not select.select([self.process.stdout], [], [], seconds)[0]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.returncode
