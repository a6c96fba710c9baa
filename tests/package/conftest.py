"""The package, built once, and one machine for each file of tests."""

import os
import shutil

import pytest

from machine import Machine, Unavailable, build_package, clean_system, with_resolvers


@pytest.fixture(scope="session")
def package():
    if not shutil.which("dh"):
        pytest.skip("debhelper is not installed: deploy/deps test")
    return build_package()


@pytest.fixture(scope="module")
def machine(request, package):
    if os.geteuid():
        pytest.skip("a machine of namespaces needs root")
    try:
        system = clean_system(package)
        made = Machine(*(with_resolvers(system) if getattr(request.module, "WITH_RESOLVERS", False) else [system]))
    except Unavailable as why:
        pytest.skip(f"no clean machine: {why}")
    yield made
    made.close()
