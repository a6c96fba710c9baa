# SPDX-License-Identifier: GPL-2.0-or-later
"""The house that the tests of this room share: two namespaces, a guarded device, real resolvers behind and beside it."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "net")]
import house as building  # noqa: E402
import resolvers  # noqa: E402


def pytest_sessionstart():
    missing = building.environment_is_complete()
    if missing:
        pytest.exit(missing, returncode=1)


@pytest.fixture
def house():
    """Attached, without limits, no list, no resolver."""
    made = resolvers.FeedHouse()
    try:
        made.cli("attach", "guarded")
        made.cli("limit", "set", "--mode", "off", "--budget", "0")
        yield made
        made.purge()
    finally:
        made.close()
