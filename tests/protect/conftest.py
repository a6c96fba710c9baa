"""Namespaces, resolvers and connections as the tests of TCP counting have them."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / room) for room in ("protect", "tcp", "daemon")]
from callers import Room  # noqa: E402


@pytest.fixture
def room():
    made = Room()
    yield made
    made.close()
