"""A guarded device and a peer that sends, for the commands that an operator types."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import World  # noqa: E402


@pytest.fixture
def world():
    made = World()
    try:
        made.cli("attach", "guarded")
        yield made
        made.cli("detach", "--all", "--purge", check=False)
    finally:
        made.close()
