"""Resolvers that fill up, and receivers that hear of it."""

import sys
from pathlib import Path

import pytest

for other in ("daemon", "tcp", "alarm"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / other))
from callers import Room  # noqa: E402
from climb import Climb  # noqa: E402
from receivers import Receiver  # noqa: E402


@pytest.fixture
def room():
    made = Room()
    yield made
    made.close()


@pytest.fixture
def receiver(room):
    made = Receiver(room)
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def climb(request):
    """A minute by minute climb takes its time: it begins with the first test, and the last one waits for it."""
    wanted = any("test_zlead" in item.nodeid for item in request.session.items)
    made = Climb() if wanted else None
    if made:
        made.start()
    yield made
    if made:
        made.end()
