# SPDX-License-Identifier: GPL-2.0-or-later
"""The houses that the tests of this room share: one with both resolvers for a whole module, and bare ones."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import house as building  # noqa: E402


def pytest_sessionstart():
    missing = building.environment_is_complete()
    if missing:
        pytest.exit(missing, returncode=1)


@pytest.fixture
def house():
    """Nothing attached, no resolver."""
    made = building.House()
    yield made
    made.purge()
    made.close()


@pytest.fixture(scope="module")
def served():
    """Both resolvers behind the guard, one name blocked, no limit."""
    made = building.House()
    try:
        building.unbound(made)
        building.named(made)
        made.cli("attach", "guarded")
        made.cli("limit", "set", "--mode", "off")
        made.cli("block", building.BLOCKED)
        yield made
        made.purge()
    finally:
        made.close()
