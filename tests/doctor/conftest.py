"""A guarded side with resolvers, as the tests of TCP have it, and what the doctor says there."""

import json
import re
import sys
from pathlib import Path

import pytest

for place in ("daemon", "tcp"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / place))
from callers import Room  # noqa: E402
from guarded import CLI, run  # noqa: E402


class Findings(dict):
    """By check: (health, text, mend). A check that ran for several devices or resolvers is that of the last one."""

    def __init__(self, done):
        self.done, said = done, json.loads(done.stdout)
        super().__init__({row["check"]: (row["health"], row["text"], row["mend"]) for row in said["checks"]})
        self.rows = [(row["of"], row["check"]) for row in said["checks"]]
        self.counts = said["pass"], said["warn"], said["fail"]

    def checks_of(self, of):
        return [check for what, check in self.rows if what == of]

    def passes(self, check):
        assert self[check][0] == "PASS" and not self[check][2], self[check]
        return self[check][1]

    def is_ill(self, check, health, said, mend):
        """Each finding that is not well names a command or a line that mends it."""
        assert self[check][0] == health and said in self[check][1] and mend in self[check][2], self[check]


class Practice(Room):
    def mend(self, finding):
        """Does what the doctor printed, where it printed it. dnsguard is the one under test, and attaches for good."""
        for command in re.split(r" && |; ", finding[2].split("  #")[0]):
            words = command.replace("--try 120s ", "").split()
            if words[0] == "dnsguard":
                self.cli(*words[1:])
            else:
                run(*self.inside.enter(*words))

    def doctor(self, device="guarded", wrap=(), root="", bpffs=None, program=CLI, sample="1s"):
        argv = [*wrap, program, "--bpffs", bpffs or self.bpffs, "doctor", *([device] if device else []), "--json", "--sample", sample]
        return Findings(run(*self.inside.enter("env", f"DNSGUARD_DOCTOR_ROOT={root}", *argv), check=False))


@pytest.fixture
def room():
    made = Practice()
    yield made
    made.close()
