# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs build/tests/bpf/replay on a file of rows and reads what it says: TAP on one side, the dump on the other."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DG_BUILD", os.path.join(ROOT, "build"))
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3


class Shown:
    """One frame as the program left it, one line of the dump."""

    def __init__(self, line):
        word = line.rstrip("\n").split("\t")
        self.action, self.verdict = int(word[1]), word[2]
        (self.limited_bits, self.match_labels, self.source_flags, self.answer_kind, self.list,
         self.banned) = map(int, word[3:9])
        self.frame = bytes.fromhex(word[9])
        self.event = self._event(word[10:]) if len(word) > 10 else None

    @staticmethod
    def _event(word):
        keys = ("count", "verdict", "list", "qtype", "sport", "frame_len", "family", "transport")
        event = {key: value if key == "verdict" else int(value) for key, value in zip(keys, word)}
        event.update(zip(("name", "saddr", "daddr"), (bytes.fromhex(value) for value in word[8:])))
        return event


class Replay:
    """lines: replay's commands. cases: (held, sentence), diagnostics by case; shown: every row and ask in order."""

    def __init__(self, lines, label, timeout=540):
        room = os.path.join(BUILD, "tests", "bpf")
        rows, dump = os.path.join(room, label + ".rows"), os.path.join(room, label + ".dump")
        with open(rows, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        done = subprocess.run([os.path.join(room, "replay"), "--dump", dump, rows], capture_output=True, text=True,
                              timeout=timeout, check=False)
        self.status, self.stderr, self.cases, self.bail = done.returncode, done.stderr, [], ""
        notes, self.notes = [], []
        for line in done.stdout.splitlines():
            found = re.match(r"(not )?ok \d+ - (.*)", line)
            if found:
                self.cases.append((not found.group(1), found.group(2)))
                self.notes.append(notes)
                notes = []
            elif line.startswith("Bail out!"):
                self.bail = line
            elif line.startswith("# "):
                notes.append(line[2:])
        with open(dump, encoding="ascii") as file:
            self.shown = [Shown(line) for line in file]
