"""A guarded side with a resolver whose delay is known, and clients that ask it."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "daemon"), str(HERE.parent / "tcp"), str(HERE)]
from clock import Clock  # noqa: E402


@pytest.fixture
def room():
    made = Clock()
    yield made
    made.close()
