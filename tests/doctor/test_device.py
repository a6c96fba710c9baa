"""The checks of a device that a namespace can make fail; what takes hardware is judged in tests/unit/test_doctor.c."""

import os
import time

import pytest

from guarded import BUILD, operstate, run, wait_for

SOUND = ("link", "parent", "native", "mtu", "lro", "virtio", "vlan", "balancer", "clients")


def make_plain(room, name):
    """A device without native XDP, of a kind that this kernel has, and up. Returns its driver's name."""
    for kind, driver in (("dummy", "dummy"), ("ifb", "ifb"), ("bridge", "bridge")):
        if run("ip", "-n", room.inside.name, "link", "add", name, "type", kind, check=False).returncode == 0:
            room.inside.ip("link", "set", name, "up")
            return driver
    raise LookupError("neither dummy nor ifb nor bridge devices here")


def test_a_sound_device_passes(room):
    found = room.doctor()
    for check in SOUND:
        found.passes(check)
    found.is_ill("owner", "WARN", "not guarded", "dnsguard attach guarded")
    room.mend(found["owner"])
    assert "guarded by our program" in room.doctor().passes("owner")


def test_a_device_that_is_down_is_told_of_once(room):
    """Nor is its traffic waited for. What is printed mends it."""
    room.inside.ip("link", "set", "guarded", "down")
    began = time.monotonic()
    found = room.doctor(sample="60s")
    assert found.checks_of("guarded") == ["link"] and time.monotonic() - began < 60
    found.is_ill("link", "WARN", "it is down", "ip link set dev guarded up")
    room.mend(found["link"])
    wait_for(lambda: operstate(room.inside, "guarded") == "UP")
    assert room.doctor().passes("link") == "it is up"


def test_the_loopback_is_told_of_once(room):
    room.inside.ip("link", "set", "lo", "up")
    found = room.doctor("lo", sample="60s")
    assert found.checks_of("lo") == ["link"]
    found.is_ill("link", "WARN", "the loopback", "dnsguard doctor")


def test_a_device_without_carrier(room):
    room.outside.ip("link", "set", "peer", "down")
    wait_for(lambda: operstate(room.inside, "guarded") != "UP")
    room.doctor().is_ill("link", "WARN", "no carrier", "ip -br link show dev guarded")


def test_no_device_at_all(room):
    room.inside.ip("link", "set", "guarded", "down")
    room.doctor(device=None).is_ill("link", "FAIL", "no device is up", "ip -br link")


def test_a_driver_without_native_xdp(room):
    """Its frames may be of any size: generic mode takes them. What is printed mends it."""
    driver = make_plain(room, "plain")
    room.inside.ip("link", "set", "plain", "mtu", "9000")
    found = room.doctor("plain")
    found.is_ill("native", "FAIL", f"{driver} has no native XDP", "attach plain --mode generic")
    assert found.passes("mtu").startswith("9000")
    room.mend(found["native"])
    assert "guarded by our program" in room.doctor("plain").passes("owner")


def test_a_frame_that_no_page_holds(room):
    """A tun device takes XDP, but not frames of several pages."""
    room.inside.ip("tuntap", "add", "large", "mode", "tap")
    room.inside.ip("link", "set", "large", "mtu", "9000", "up")
    found = room.doctor("large")
    found.passes("native")
    found.is_ill("mtu", "FAIL", "9000 is more than a page holds", "ip link set dev large mtu 1500")
    room.mend(found["mtu"])
    room.doctor("large").passes("mtu")
    room.inside.ip("link", "set", "large", "mtu", "3000")
    room.doctor("large").is_ill("mtu", "WARN", "3000", "mtu 1500")
    room.inside.ip("link", "set", "guarded", "mtu", "9000")
    room.doctor().passes("mtu")


@pytest.mark.skipif(os.cpu_count() == 1, reason="one CPU needs one queue")
def test_queues_for_few_cpus(room):
    run(*room.inside.enter("ethtool", "-L", "guarded", "rx", "1", "tx", "1"), check=False)
    found = room.doctor()
    found.is_ill("queues", "WARN", "1 of ", "ethtool -L guarded rx ")
    room.mend(found["queues"])
    room.doctor().passes("queues")


def test_a_device_on_top_of_another(room):
    """Told of once. A macvlan device here; VLAN devices and bonds, on NICs, in tests/kernels/nics.sh."""
    room.inside.ip("link", "add", "link", "guarded", "name", "above", "type", "macvlan", "mode", "bridge")
    room.inside.ip("link", "set", "above", "up")
    found = room.doctor("above")
    found.is_ill("parent", "FAIL", "a macvlan device on guarded", "dnsguard attach guarded")
    for check in ("native", "owner", "mtu"):
        found.passes(check)
    room.mend(found["parent"])
    found = room.doctor("above")
    assert "which is guarded" in found.passes("parent") and "by way of guarded" in found.passes("owner")


def test_generic_mode_without_need(room):
    """What is printed mends it."""
    room.cli("attach", "guarded", "--mode", "generic")
    found = room.doctor()
    found.is_ill("native", "WARN", "though driver veth has native XDP", "dnsguard detach guarded && dnsguard attach guarded --mode native")
    room.mend(found["native"])
    room.doctor().passes("native")


def test_somebody_elses_program(room):
    """Pinned by iproute2 on a bpffs of its own, as its users do."""
    program = BUILD / "lab" / "xdp_pass.bpf.o"
    run("unshare", "-m", "sh", "-c",
        f"mount -t bpf bpf /sys/fs/bpf && exec nsenter --net={room.inside.path} ip link set guarded xdp obj {program} sec xdp.frags")
    found = room.doctor()
    found.is_ill("owner", "FAIL", "already has the XDP program", "then: dnsguard attach guarded")
    free, attach = found["owner"][1].split("to free it: ")[1], found["owner"][2].split("then: ")[1]
    room.mend(("", "", f"{free} && {attach}"))
    room.doctor().passes("owner")


def test_without_a_name_the_guarded_ones_are_looked_at(room):
    make_plain(room, "other")
    assert "no native XDP" in room.doctor(device=None)["native"][1]
    room.attach()
    assert "veth" in room.doctor(device=None).passes("native")
