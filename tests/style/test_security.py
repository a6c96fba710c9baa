"""SECURITY.md names a test behind each claim: it is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "SECURITY.md").read_text()


def missing(text):
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", text)
    assert named
    return [f"{path}::{test}" for path, test in named if not (ROOT / path).exists() or
            test and not re.search(rf"\b{test}\(", (ROOT / path).read_text())]


def test_each_test_is_there():
    assert missing(TEXT) == []


def test_one_that_is_not_would_be_told():
    assert missing(TEXT + "`tests/daemon/test_http.py::test_that_nobody_wrote`") == ["tests/daemon/test_http.py::test_that_nobody_wrote"]


def test_each_row_of_claims_has_one():
    rows = TEXT.split("## Shown by")[1].strip().splitlines()[2:]
    assert len(rows) > 10 and all("`tests/" in row.split("|")[2] for row in rows)
