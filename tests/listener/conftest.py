"""A daemon that is besieged: the guard of tests/daemon."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import World  # noqa: E402


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()
