"""The guard that the tests of this room share."""

import pytest

from guarded import World


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()
