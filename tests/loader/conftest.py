"""A guarded side and a peer, as the daemon's tests have them, for the life cycle that the loader alone is in charge of."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "daemon"))
from guarded import World  # noqa: E402


@pytest.fixture
def world():
    made = World()
    yield made
    made.cli("detach", "--all", "--purge", check=False)
    made.close()
