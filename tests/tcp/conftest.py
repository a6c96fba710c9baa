"""A guarded side and a peer, as the daemon's tests have them, with resolvers and connections to them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from callers import Room  # noqa: E402


@pytest.fixture
def room():
    made = Room()
    yield made
    made.close()
