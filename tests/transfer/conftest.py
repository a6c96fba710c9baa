"""A network of its own for this room, and the primaries in it."""

import ctypes
import os
import subprocess

import pytest

from primaries import Bind, Knot
from secondary import Follower

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="session", autouse=True)
def network():
    """Loopback only: addresses and port 53 are free, and nothing gets out. Ends with the process."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    if LIBC.unshare(CLONE_NEWNET):
        os.close(outside)
        pytest.skip(f"needs root for a network namespace: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    yield
    LIBC.setns(outside, CLONE_NEWNET)
    os.close(outside)


@pytest.fixture
def home(tmp_path):
    """A directory of root's: the unprivileged program itself could not write there."""
    os.chmod(tmp_path, 0o755)
    return tmp_path


def made(kind, home):
    directory = home / "primary"
    directory.mkdir()
    return kind(directory)


@pytest.fixture(params=[Bind, Knot], ids=["bind", "knot"])
def primary(request, home):
    """Not started yet: a test writes its zone and says whether there is a key."""
    server = made(request.param, home)
    yield server
    server.kill()


@pytest.fixture
def bind(home):
    server = made(Bind, home)
    yield server
    server.kill()


@pytest.fixture
def follow(home):
    """Starts followers of home/zone and ends them."""
    started = []

    def start(*more, **kwargs):
        started.append(Follower(home / "zone", *more, **kwargs))
        return started[-1]

    yield start
    for follower in started:
        follower.stop()
