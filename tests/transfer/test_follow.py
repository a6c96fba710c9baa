"""The long-running mode: NOTIFY, timers, expiry, and what it does without rights."""

import os
import signal
import socket
import time

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsigkeyring
import pytest

from pretender import KEYRING, Pretender, answer, frame, record, soa
from primaries import DEADLINE, OTHER_SECRET, PRIMARY, SECONDARY, SECRET, STRANGER, ZONE, file_records, key_text, until, zone_text

FAST = "1 1 8 60"


def names(count):
    return [f"n{number}.test CNAME ." for number in range(count)]


# ---- NOTIFY of real primaries ---------------------------------------------------------------------


def test_notify_brings_each_change(primary, home, follow):
    """The SOA's refresh is an hour: only NOTIFY can bring the news."""
    primary.write(names(5))
    primary.start()
    follower = follow()
    assert follower.event("changed")["method"] == "axfr"
    for serial in range(2, 6):
        primary.change(add=[f"m{serial}.test CNAME ."])
        event = follower.event("changed", serial=serial)
        assert (event["method"], event["added"]) == ("ixfr", 1)
        assert file_records(home / "zone") == primary.records()
    assert follower.stop() == 0


def test_notify_while_the_file_grows(primary, home, follow):
    """Changes faster than checks: the last one arrives."""
    primary.write(names(5))
    primary.start()
    follower = follow()
    follower.event("changed")
    for serial in range(2, 12):
        primary.change(add=[f"m{serial}.test CNAME ."])
    follower.event("changed", serial=11)
    assert file_records(home / "zone") == primary.records()


def test_restart_goes_on_from_the_file(primary, home, follow):
    primary.write(names(5))
    primary.start()
    first = follow()
    first.event("changed")
    first.stop()
    primary.change(add=["m.test CNAME ."])
    second = follow()
    assert second.event("loaded")["serial"] == 1
    assert second.event("changed")["method"] == "ixfr"
    assert file_records(home / "zone") == primary.records()


# ---- NOTIFY by hand -------------------------------------------------------------------------------


def notify(zone=ZONE, rdtype="SOA"):
    message = dns.message.make_query(zone, rdtype)
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags = dns.opcode.to_flags(dns.opcode.NOTIFY) | dns.flags.AA
    return message


@pytest.fixture(params=["udp", "tcp"])
def send(request):
    """Sends a NOTIFY and returns the answer."""
    return lambda message, source: getattr(dns.query, request.param)(message, SECONDARY, timeout=DEADLINE, source=source)


@pytest.fixture
def quiet(bind, home, follow):
    """A follower whose primary has nothing new and says nothing by itself: every check is an event "unchanged"."""
    bind.notify = "no"
    bind.write(names(3))
    bind.start()
    (home / "zone").write_text(zone_text(names(3)))
    (home / "key").write_text(key_text())
    os.chmod(home / "key", 0o600)

    def start(*more):
        follower = follow(*more)
        follower.event("unchanged")
        return follower

    return start


def test_notify_is_answered(quiet, send):
    follower = quiet()
    message = notify()
    reply = send(message, PRIMARY)
    assert reply.rcode() == dns.rcode.NOERROR and reply.opcode() == dns.opcode.NOTIFY
    assert reply.flags & dns.flags.QR and reply.flags & dns.flags.AA
    assert reply.id == message.id and reply.question == message.question and not reply.answer
    follower.event("unchanged")


@pytest.mark.parametrize("listen", ["0.0.0.0@5353", "::@5353"])
def test_notify_to_every_address(bind, home, follow, listen):
    """The answer comes from the address that was asked: dnspython takes no other."""
    bind.write(names(3))
    bind.start()
    follower = follow(listen=listen)
    follower.event("changed")
    for ask in (dns.query.udp, dns.query.tcp):
        assert ask(notify(), SECONDARY, port=5353, timeout=DEADLINE, source=PRIMARY).rcode() == dns.rcode.NOERROR
    follower.event("unchanged")


def test_notify_of_another_zone(quiet, send):
    quiet()
    assert send(notify("other.example."), PRIMARY).rcode() == dns.rcode.NOTAUTH
    assert send(notify(rdtype="A"), PRIMARY).rcode() == dns.rcode.NOTAUTH


def test_a_question_is_no_notify(quiet, send):
    quiet()
    assert send(dns.message.make_query(ZONE, "SOA"), PRIMARY).rcode() == dns.rcode.NOTIMP


def test_stranger_is_not_heard(quiet):
    """No answer, and no check: one that was asked for begins within a second."""
    follower = quiet()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        stranger.sendto(notify().to_wire(), (SECONDARY, 53))
        # Answered in order: after this one the stranger's has been looked at.
        dns.query.udp(notify("other.example."), SECONDARY, timeout=DEADLINE, source=PRIMARY)
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(512)
    with pytest.raises((OSError, EOFError)):
        dns.query.tcp(notify(), SECONDARY, timeout=DEADLINE, source=STRANGER)
    assert follower.silent(1.5)


def test_signed_notify_from_elsewhere(bind, home, follow, send):
    bind.key = ("hmac-sha256", SECRET)
    bind.write(names(3))
    bind.start()
    (home / "key").write_text(key_text())
    os.chmod(home / "key", 0o600)
    follower = follow("--tsig-file", str(home / "key"))
    follower.event("changed")
    message = notify()
    message.use_tsig(KEYRING)
    assert send(message, STRANGER).rcode() == dns.rcode.NOERROR  # dnspython verified the answer's signature
    follower.event("unchanged")


def test_badly_signed_notify(bind, home, follow, send):
    """Also from the primary's own address: who signs wants to be checked."""
    bind.key = ("hmac-sha256", SECRET)
    bind.write(names(3))
    bind.start()
    (home / "key").write_text(key_text())
    os.chmod(home / "key", 0o600)
    follow("--tsig-file", str(home / "key")).event("changed")
    for name, secret in (("k.example", OTHER_SECRET), ("stranger.example", SECRET)):
        message = notify()
        message.use_tsig(dns.tsigkeyring.from_text({name: ("hmac-sha256", secret)}))
        with pytest.raises((dns.tsig.PeerBadSignature, dns.tsig.PeerBadKey)):
            send(message, PRIMARY)


def test_rubbish_does_no_harm(quiet, send):
    follower = quiet()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rubbish:
        rubbish.bind((PRIMARY, 0))
        for wire in (b"", b"\0", b"\xff" * 12, b"\xff" * 1400, notify().to_wire()[:20], notify().to_wire() + b"\0"):
            rubbish.sendto(wire, (SECONDARY, 53))
    idle = [socket.create_connection((SECONDARY, 53), source_address=(PRIMARY, 0)) for _ in range(12)]
    idle[0].close()
    idle[1].sendall(b"\xff\xff" + b"\0" * 2000)
    assert send(notify(), PRIMARY).rcode() == dns.rcode.NOERROR
    follower.event("unchanged")
    for connection in idle:
        connection.close()


# ---- timers ---------------------------------------------------------------------------------------


def test_refresh_without_notify(primary, home, follow):
    primary.write(names(3), timers=FAST)
    primary.start()
    follower = follow(listen=None)
    follower.event("changed")
    primary.change(add=["m.test CNAME ."])
    assert follower.event("changed", serial=2)["method"] == "ixfr"
    assert file_records(home / "zone") == primary.records()


def test_primary_down_then_expired_then_back(primary, home, follow):
    primary.write(names(3), timers=FAST)
    primary.start()
    follower = follow(listen=None)
    follower.event("changed")
    follower.event("unchanged")
    primary.stop()
    assert follower.event("expired")["serial"] == 1
    # A check that meets the server in its last moment may fail for another reason; those after it do not.
    while not (refused := [event for event in follower.seen if event["event"] == "failed" and "refused" in event["reason"]]):
        follower.event("failed")
    assert all(event["reason"].startswith(f"zone {ZONE}, primary {PRIMARY}@53: ") for event in refused)
    assert all(0 < event["retry_seconds"] <= 1 for event in refused)
    assert (home / "zone").exists()
    primary.start()
    event = follower.event("changed")
    assert (event["serial"], event["method"]) == (1, "none")
    follower.event("unchanged")
    assert [seen["event"] for seen in follower.seen].count("expired") == 1


def test_down_from_the_start(primary, home, follow):
    follower = follow()
    first = follower.event("failed")
    second = follower.event("failed")
    assert first["retry_seconds"] <= 2 < second["retry_seconds"] <= 4
    primary.write(names(3))
    primary.start()
    follower.event("changed")
    assert file_records(home / "zone") == primary.records()


def test_old_file_is_expired(home, follow):
    """The age of the zone goes on while the program does not run: the file's time says it."""
    (home / "zone").write_text(zone_text(names(3), timers="3600 600 7200 60"))
    os.utime(home / "zone", (time.time() - 9000,) * 2)
    follower = follow()
    assert follower.event("loaded")["records"] == 6
    assert follower.event("expired")["serial"] == 1
    follower.event("failed")


def test_a_good_check_renews_the_file(quiet, home):
    """Or a zone that never changes would be too old at the next start."""
    os.utime(home / "zone", (time.time() - 7200,) * 2)
    quiet()
    assert time.time() - (home / "zone").stat().st_mtime < 60


def test_hangup_asks_for_a_check(quiet):
    follower = quiet()
    follower.process.send_signal(signal.SIGHUP)
    follower.event("unchanged")


# ---- without rights -------------------------------------------------------------------------------


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_rights_are_gone(quiet):
    own = status(quiet().process.pid)
    assert set(own["Uid"].split()) == set(own["Gid"].split()) == {"65534"}
    assert own["Groups"].strip() == ""
    assert int(own["CapEff"], 16) == int(own["CapPrm"], 16) == 0
    assert own["NoNewPrivs"] == "1"


def test_memory_is_bounded(quiet):
    """By what the zone may take (1 GiB unless told): three of them and a little."""
    with open(f"/proc/{quiet().process.pid}/limits") as file:
        (data,) = [line.split()[3] for line in file if line.startswith("Max data size")]
    assert int(data) == 3 * (1 << 30) + (64 << 20)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def test_keeper_has_one_file_and_no_network(quiet):
    """The process that may replace the file: no capabilities, and no descriptor but its socket."""
    (keeper,) = children(quiet().process.pid)
    own = status(keeper)
    assert int(own["CapEff"], 16) == 0 and own["NoNewPrivs"] == "1"
    links = [os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper}/fd")]
    assert sorted(link.split(":")[0] for link in links) == ["/dev/null"] * 3 + ["socket"]


def stalled(query, connection):
    """Half an answer, then nothing, until the other side goes."""
    connection.sendall(frame(answer(query, [soa(5), record("a")]).to_wire()))
    connection.recv(1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_in_the_middle_of_a_transfer(home, follow, number):
    """The old file stays, nothing stays beside it, the keeper goes too."""
    (home / "zone").write_text(zone_text(names(3)))
    before = (home / "zone").read_bytes()
    server = Pretender(udp=lambda query: answer(query, [soa(5)]).to_wire(), tcp=stalled)
    try:
        follower = follow()
        until(lambda: "IXFR" in server.asked, "the transfer is under way")
        (keeper,) = children(follower.process.pid)
        follower.process.send_signal(number)
        assert follower.stop() == (0 if number == signal.SIGTERM else -number)
        until(lambda: not os.path.exists(f"/proc/{keeper}") or status(keeper)["State"].startswith("Z"), "the keeper ends")
    finally:
        server.close()
    assert (home / "zone").read_bytes() == before
    assert [path.name for path in home.iterdir()] == ["zone"]


def test_notify_is_heard_during_a_transfer(home, follow):
    """A transfer that hangs does not make us deaf."""
    server = Pretender(tcp=stalled)
    try:
        follow()
        until(lambda: "AXFR" in server.asked, "the transfer is under way")
        assert dns.query.udp(notify(), SECONDARY, timeout=DEADLINE, source=PRIMARY).rcode() == dns.rcode.NOERROR
    finally:
        server.close()


def test_port_that_is_taken(home, follow):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((SECONDARY, 53))
        follower = follow()
        assert follower.process.wait(DEADLINE) == 1
        assert b"cannot listen on 127.0.0.3@53: Address already in use" in follower.process.stderr.read()
