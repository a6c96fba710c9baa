"""attach --save and detach --save: the list of devices in conf.d, and what is said where the file says otherwise."""

from pathlib import Path

import pytest

from guarded import Daemon

FAILED, USAGE, NOT_FOUND = 1, 2, 4


@pytest.fixture
def second(world):
    world.make_device("second", "peer2")
    return world


def start(world, text="interfaces: [guarded]\n"):
    return Daemon(world, config=text).ready()


def saved(world):
    """What 50-cli.yaml says of the devices, without the note of who wrote it."""
    path = Path(world.dir, "conf.d", "50-cli.yaml")
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")] if path.exists() else []
    assert all("(uid " in line for line in lines)
    return [line.split(" # ")[0] for line in lines]


def guarded(world):
    return {device["name"]: device["enforcing"] for device in world.status()["interfaces"]}


def reload(world):
    return world.cli("reload").stdout.splitlines()


def test_what_is_attached_for_good_is_the_daemons_after_a_reload(second):
    start(second)
    told = second.cli("attach", "second", "--observe", "--mode", "generic", "--save")
    assert told.stderr == "dnsguard: dnsguardd hears of it with: dnsguard reload\n"
    assert saved(second) == ["interfaces: [{name: guarded}, {name: second, mode: generic, observe: true}]"]
    assert reload(second) == ["+ interfaces[]: {name: second, mode: generic, observe: true}", "applied"]
    assert guarded(second) == {"guarded": True, "second": False}
    second.cli("attach", "second", "--mode", "generic", "--save")  # again: in place, in the kernel and in the list
    assert saved(second) == ["interfaces: [{name: guarded}, {name: second, mode: generic}]"]
    reload(second)
    assert guarded(second) == {"guarded": True, "second": True}


def test_what_is_detached_for_good_is_not_guarded_again(second):
    start(second, "interfaces: [guarded, second]\n")
    told = second.cli("detach", "second").stderr
    assert f"{second.dir}/config.yaml:1 names second: dnsguardd guards it again" in told and "--save" in told
    reload(second)
    assert guarded(second) == {"guarded": True, "second": True}
    second.cli("detach", "second", "--save")
    assert saved(second) == ["interfaces: [{name: guarded}]"]
    reload(second)
    assert guarded(second) == {"guarded": True}
    second.cli("detach", "--all", "--save")
    assert saved(second) == ["interfaces: []"]


def test_a_file_that_wins_is_named(second):
    start(second, "mode: observe\ninterfaces: [guarded, second]\n")
    told = second.cli("attach", "second", "--save").stderr
    assert f"{second.dir}/config.yaml:1 says that second observes, which wins at the next reload" in told
    Path(second.dir, "conf.d", "90-site.yaml").write_text("interfaces: [guarded]\n")
    told = second.cli("attach", "second", "--save").stderr
    assert f"{second.dir}/conf.d/90-site.yaml:1 gives interfaces as well, which wins over what was saved" in told
    assert "wins" not in second.cli("attach", "second", "--observe").stderr


def test_what_cannot_be_saved_is_not_attached_either(second):
    daemon = start(second)
    refused = second.cli("attach", "second", "--try", "60s", "--save", check=False)
    assert refused.returncode == USAGE and "dnsguard attach second --save" in refused.stderr
    Path(second.dir, "conf.d").write_text("in the way of a directory\n")
    for verb, device in (("attach", "second"), ("detach", "guarded")):
        refused = second.cli(verb, device, "--save", check=False)
        assert refused.returncode == FAILED and "conf.d" in refused.stderr, refused
    assert guarded(second) == {"guarded": True} and daemon.get("/healthz")[1] == "ok\n"


def test_only_what_the_kernel_took_is_saved(second):
    start(second)
    assert second.cli("attach", "nowhere", "--save", check=False).returncode == NOT_FOUND
    assert second.cli("detach", "second", "--save", check=False).returncode != 0
    assert saved(second) == []


def test_what_is_configured_but_not_attached_leaves_the_file_all_the_same(second):
    """As after a `detach` without --save, or for a device that is not there."""
    start(second)
    config = Path(second.dir, "config.yaml")
    config.write_text("interfaces: [guarded, second, nowhere]\n")
    for device in ("nowhere", "second"):
        told = second.cli("detach", device, "--save").stdout
        assert told == f"{device}: was not attached, is no longer configured\n"
    assert saved(second) == ["interfaces: [{name: guarded}]"]
    Path(second.dir, "conf.d", "50-cli.yaml").unlink()
    told = second.cli("detach", "--all", "--save").stdout
    assert told == "guarded: no longer guarded; second, nowhere: was not attached, is no longer configured\n"
    assert saved(second) == ["interfaces: []"] and not list((second.bpffs / "dnsguard" / "links").iterdir())
    assert second.cli("detach", "second", "--save", check=False).returncode == 3, "neither attached nor configured"
