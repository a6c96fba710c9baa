# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not for this host or not for its resolver, and two guards that face each other."""
import sys
from pathlib import Path

import dns.message
import dns.rcode
import pytest

import house as h
from guarded import run, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from wire import ETH_IPV4, UDP, ethernet, address, ipv4_packet, udp_segment  # noqa: E402

OTHER_MAC = "02:00:00:00:00:99"
CAPTURE_PORT = 40053


def query(name):
    message = dns.message.make_query(name, "A")
    message.id = 0x5151
    return message.to_wire()


def frame(payload, src, dst, to_mac, from_mac="02:00:00:00:00:07", sport=CAPTURE_PORT):
    src, dst = address(src), address(dst)
    packet = ipv4_packet(src, dst, UDP, udp_segment(src, dst, sport, 53, payload))
    return ethernet(to_mac, from_mac, [], ETH_IPV4, packet)


def settled(house, verdicts):
    """Waits until these verdicts have these counts; counting comes after the verdict, so this is the end of it."""
    wait_for(lambda: all(house.frames(label) == count for label, count in verdicts.items()))


@pytest.fixture
def guarded(house):
    house.cli("attach", "guarded")
    house.cli("block", h.BLOCKED)
    return house


def test_a_frame_for_another_mac_is_not_answered(guarded):
    """A flooded or mirrored frame: answering it would be answering for somebody else."""
    h.burst(guarded.outside, frame(query(h.BLOCKED), h.CLIENT4, h.UNBOUND4, OTHER_MAC), "peer")
    settled(guarded, {"pass_other_host": 1})
    h.burst(guarded.outside, frame(query(h.BLOCKED), h.CLIENT4, h.UNBOUND4, guarded.mac()), "peer")
    settled(guarded, {"pass_other_host": 1, "reply_sinkhole": 1})


def test_an_address_that_is_not_ours_is_not_guarded(guarded):
    """A router's view: DNS that only passes through."""
    h.burst(guarded.outside, frame(query(h.BLOCKED), h.CLIENT4, "198.51.100.77", guarded.mac()), "peer")
    settled(guarded, {"pass_not_service": 1, "reply_sinkhole": 0})


@pytest.mark.parametrize("source,port", [(h.UNBOUND4, CAPTURE_PORT), ("224.0.0.1", CAPTURE_PORT),
                                         ("255.255.255.255", CAPTURE_PORT), (h.CLIENT4, 0)],
                         ids=["own address", "multicast", "broadcast", "port 0"])
def test_senders_that_nobody_must_answer(guarded, source, port):
    h.burst(guarded.outside, frame(query(h.BLOCKED), source, h.UNBOUND4, guarded.mac(), sport=port), "peer")
    settled(guarded, {"pass_bad_source": 1, "reply_sinkhole": 0})


# ---- jumbo frames ---------------------------------------------------------------------------------


@pytest.fixture
def jumbo(house):
    house.inside.ip("link", "set", "guarded", "mtu", "9000")
    house.outside.ip("link", "set", "peer", "mtu", "9000")
    h.unbound(house)
    house.cli("attach", "guarded")
    house.cli("block", h.BLOCKED)
    return house


def padded(name, octets):
    return dns.message.make_query(name, "A", use_edns=0, pad=octets).to_wire(max_size=65535)


def test_jumbo_frames_are_judged_and_carried(jumbo):
    """A blocked query is answered; 4,000 octets of TXT come whole over UDP and TCP."""
    assert jumbo.status()["interfaces"][0]["fragments"] is True
    answer = dns.message.from_wire(h.ask(jumbo.outside, h.UNBOUND4, query(h.BLOCKED)))
    assert answer.rcode() == dns.rcode.NXDOMAIN
    wire = dns.message.make_query(h.BIG, "TXT", use_edns=0, payload=8000).to_wire()
    for tcp in (False, True):
        whole = h.ask(jumbo.outside, h.UNBOUND4, wire, tcp)
        assert len(whole) > 4000 and whole == h.ask(jumbo.inside, h.UNBOUND4, wire, tcp)


def test_a_query_longer_than_a_page_passes_unharmed(jumbo):
    """The frame continues in fragments that the program does not see as one piece."""
    wire = padded(h.ALLOWED, 6000)
    assert len(wire) >= 6000
    through = h.ask(jumbo.outside, h.UNBOUND4, wire)
    assert through is not None and through == h.ask(jumbo.inside, h.UNBOUND4, wire)


# ---- generic mode ---------------------------------------------------------------------------------


def test_generic_mode_on_request_does_the_same(house):
    h.unbound(house)
    house.cli("attach", "guarded", "--mode", "generic")
    house.cli("block", h.BLOCKED)
    assert house.status()["interfaces"][0]["mode"] == "generic"
    answer = dns.message.from_wire(h.ask(house.outside, h.UNBOUND4, query(h.BLOCKED)))
    assert answer.rcode() == dns.rcode.NXDOMAIN and house.frames("reply_sinkhole") == 1
    assert dns.message.from_wire(h.ask(house.outside, h.UNBOUND4, query(h.ALLOWED))).answer


# ---- two guards -----------------------------------------------------------------------------------


class Facing:
    """The other end of the wire is guarded as well, from a bpffs directory of its own."""

    def __init__(self, house):
        self.house = house
        self.bpffs = Path(f"{house.bpffs}-far")
        self.bpffs.mkdir()
        house.outside.ip("link", "set", "dev", "peer", "xdpdrv", "off")
        self.cli("attach", "peer")

    def cli(self, *args):
        return run(*self.house.outside.enter(h.BUILD / "dnsguard", "--bpffs", self.bpffs, "--state-dir",
                                             f"{self.house.dir}/far", *args))

    def verdicts(self):
        status = h.json.loads(self.cli("status", "--json").stdout)
        return {label: count["frames"] for label, count in status["verdicts"].items() if count["frames"]}

    def close(self):
        self.cli("detach", "--all", "--purge")
        self.bpffs.rmdir()


@pytest.fixture
def facing(guarded):
    made = Facing(guarded)
    yield made
    made.close()


def dns_frames(verdicts):
    """Without ARP and multicast listeners, which the kernel sends on its own."""
    return {label: count for label, count in verdicts.items() if label not in ("pass_not_dns", "pass_ip_options")}


@pytest.mark.parametrize("answer", ["nxdomain", "refused", "truncate", "192.0.2.99"])
def test_two_guards_do_not_talk_to_each_other(guarded, facing, answer):
    """From port 53 to port 53, a name that both block: one answer, which the other guard lets pass as a response."""
    for side in (guarded, facing):
        side.cli("unblock", h.BLOCKED) if side is guarded else None
        side.cli("block", h.BLOCKED, "--answer", answer)
    mac = h.json.loads(guarded.outside.ip("-j", "link", "show", "peer").stdout)[0]["address"]
    count = 50
    for _ in range(count):
        h.burst(guarded.outside, frame(query(h.BLOCKED), h.CLIENT4, h.UNBOUND4, guarded.mac(), mac, sport=53), "peer")
    settled(guarded, {"reply_sinkhole": count})
    wait_for(lambda: facing.verdicts().get("pass_response") == count)
    # Any echo would have been counted before the last answer was: the wire keeps its order.
    assert dns_frames(facing.verdicts()) == {"pass_response": count}
    near = {k: v["frames"] for k, v in guarded.status()["verdicts"].items() if v["frames"]}
    assert dns_frames(near) == {"reply_sinkhole": count}
