"""The rooms that the tests of lists share."""

import pytest

from house import GuardedRoom, Room


@pytest.fixture
def room():
    made = Room()
    yield made
    made.close()


@pytest.fixture
def guard():
    made = GuardedRoom()
    yield made
    made.close()
