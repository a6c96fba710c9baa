"""Answers that are no use, limits, and the words they are refused with."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import dns.message
import pytest

from pretender import Pretender, answer, frame, record, soa
from primaries import DEADLINE, PRIMARY, ZONE, file_records, until, zone_text
from secondary import PROGRAM, once


def names(count):
    return [f"n{number}.test CNAME ." for number in range(count)]


@pytest.fixture
def pretend():
    made = []

    def start(**kwargs):
        made.append(Pretender(**kwargs))
        return made[-1]

    yield start
    for server in made:
        server.close()


def bodies(*messages):
    """A transfer of these messages, each a list of records."""
    def tcp(query, connection):
        connection.sendall(b"".join(frame(answer(query, message).to_wire()) for message in messages))
        connection.recv(1)
    return tcp


def udp_serial(serial):
    return lambda query: answer(query, [soa(serial)]).to_wire()


def failed(home, *words):
    done = once(home / "zone", *words, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert done.stderr.startswith(f"dnsguard-transfer: zone {ZONE}, primary {PRIMARY}@53: ")
    assert '"event":"failed"' in done.stdout
    return done.stderr


# ---- the answer of a whole zone -------------------------------------------------------------------


@pytest.mark.parametrize("messages,why", [
    ([[record("a"), soa(5)]], "does not begin with the zone's SOA"),
    ([[soa(5), record("a"), soa(6)]], "changed its serial"),
    ([[soa(5), record("a"), soa(5), record("b")]], "goes on after its end"),
    ([[soa(5), record("a"), soa(5)], [soa(5)]], "goes on after its end"),
    ([[soa(5)], []], "without records"),
    ([[soa(5), dns.rrset.from_text("x.other.example.", 60, "IN", "A", "192.0.2.1"), soa(5)]], "not of this zone"),
    ([[soa(5), dns.rrset.from_text(f"x.{ZONE}", 60, "CH", "TXT", "x"), soa(5)]], "not of this zone"),
    ([[soa(5), dns.rrset.from_text(f"sub.{ZONE}", 60, "IN", "SOA", "a. b. 1 2 3 4 5"), soa(5)]], "not the zone's"),
])
def test_bad_answer(home, pretend, messages, why):
    pretend(tcp=bodies(*messages))
    assert why in failed(home)
    assert not (home / "zone").exists()


@pytest.mark.parametrize("messages", [
    [[soa(5)], [record("a")], [record("b")], [soa(5)]],
    [[soa(5), record("a"), record("a"), record("b"), soa(5)]],
], ids=["a-record-a-message", "a-record-twice"])
def test_unusual_answer(home, pretend, messages):
    pretend(tcp=bodies(*messages))
    assert once(home / "zone")["records"] == 3


def test_zone_of_nothing_but_its_soa(home, pretend):
    pretend(tcp=bodies([soa(5), soa(5)]))
    assert once(home / "zone")["records"] == 1


def test_other_identifier(home, pretend):
    def tcp(query, connection):
        query.id ^= 1
        connection.sendall(frame(answer(query, [soa(5), soa(5)]).to_wire()))
    pretend(tcp=tcp)
    assert "answers another question" in failed(home)


def test_other_question(home, pretend):
    def tcp(query, connection):
        other = dns.message.make_query("other.example.", "AXFR", id=query.id)
        connection.sendall(frame(answer(other, [soa(5), soa(5)]).to_wire()))
    pretend(tcp=tcp)
    assert "answers another question" in failed(home)


@pytest.mark.parametrize("wire", [b"\0\0", b"\0\x05hello", b"\0\x0c" + b"\xff" * 12])
def test_rubbish(home, pretend, wire):
    pretend(tcp=lambda query, connection: connection.sendall(wire))
    assert "its answer cannot be used" in failed(home)


@pytest.mark.parametrize("rcode,word", [(5, "REFUSED"), (9, "NOTAUTH"), (2, "SERVFAIL")])
def test_response_code(home, pretend, rcode, word):
    pretend(tcp=lambda query, connection: connection.sendall(frame(answer(query, [], rcode).to_wire())))
    assert f"it answers {word}" in failed(home)


def test_connection_closed(home, pretend):
    pretend(tcp=lambda query, connection: connection.sendall(frame(answer(query, [soa(5), record("a")]).to_wire())))
    assert "closed the connection" in failed(home)


# ---- differences ----------------------------------------------------------------------------------


@pytest.fixture
def stored(home):
    (home / "zone").write_text(zone_text(names(2), serial=1))
    return home / "zone"


STEP = [soa(3), soa(1), record("n0.test"), soa(2), record("new.test"), soa(2), record("new.test"), soa(3),
        record("newer.test"), soa(3)]


def test_two_differences(home, pretend, stored):
    server = pretend(udp=udp_serial(3), tcp=bodies(STEP[:4], STEP[4:5], STEP[5:]))
    event = once(stored)
    assert (event["method"], event["from"], event["serial"]) == ("ixfr", 1, 3)
    assert server.asked == ["SOA", "IXFR"]
    owners = {str(name) for name, _, kind, _ in file_records(stored) if kind == dns.rdatatype.CNAME}
    assert owners == {f"n1.test.{ZONE}", f"newer.test.{ZONE}"}


@pytest.mark.parametrize("step", [
    [soa(3), soa(2), record("n0.test"), soa(3), soa(3)],  # not from our serial
    [soa(3), soa(1), record("n0.test"), soa(1), soa(3)],  # does not lead forward
    [soa(3), soa(1), soa(2), soa(1), soa(3), soa(3)],  # does not follow
    [soa(3), soa(1), record("gone.test"), soa(3), soa(3)],  # deletes what is not there
    [soa(3), soa(1), soa(3), record("n1.test"), soa(3)],  # adds what is there
    [soa(4), soa(1), record("n0.test"), soa(3), soa(3)],  # a part, then the end of the connection
], ids=["wrong-start", "standstill", "gap", "not-there", "there-already", "cut"])
def test_useless_differences_mean_the_whole_zone(home, pretend, stored, step):
    def tcp(query, connection):
        whole = [soa(3), record("whole.test"), soa(3)]
        ixfr = dns.rdatatype.to_text(query.question[0].rdtype) == "IXFR"
        connection.sendall(frame(answer(query, step if ixfr else whole).to_wire()))
    server = pretend(udp=udp_serial(3), tcp=tcp)
    event = once(stored)
    assert server.asked == ["SOA", "IXFR", "AXFR"]
    assert (event["method"], event["records"]) == ("axfr", 2)


@pytest.mark.parametrize("rcode", [1, 4, 5])
def test_server_without_differences(home, pretend, stored, rcode):
    def tcp(query, connection):
        ixfr = dns.rdatatype.to_text(query.question[0].rdtype) == "IXFR"
        reply = answer(query, [], rcode) if ixfr else answer(query, [soa(3), soa(3)])
        connection.sendall(frame(reply.to_wire()))
    pretend(udp=udp_serial(3), tcp=tcp)
    assert once(stored)["method"] == "axfr"


def test_failed_fallback_leaves_the_zone(home, pretend, stored):
    before = stored.read_bytes()
    step = [soa(3), soa(1), record("n0.test"), record("gone.test"), soa(3), soa(3)]
    pretend(udp=udp_serial(3), tcp=bodies(step))
    failed(home)
    assert stored.read_bytes() == before


def test_nothing_newer_after_all(home, pretend, stored):
    """The UDP answer and the transfer may come from different servers."""
    pretend(udp=udp_serial(3), tcp=bodies([soa(1)]))
    assert once(stored)["event"] == "unchanged"


# ---- the serial -----------------------------------------------------------------------------------


def test_truncated_answer_means_tcp(home, pretend, stored):
    def udp(query):
        reply = answer(query, [])
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def tcp(query, connection):
        connection.sendall(frame(answer(query, [soa(1)]).to_wire()))
    server = pretend(udp=udp, tcp=tcp)
    assert once(stored)["event"] == "unchanged"
    assert server.asked == ["SOA", "SOA"]


def test_no_answer_by_udp_means_tcp(home, pretend, stored):
    server = pretend(tcp=lambda query, connection: connection.sendall(frame(answer(query, [soa(1)]).to_wire())))
    assert once(stored, "--connect-timeout", "1s")["event"] == "unchanged"
    until(lambda: server.asked == ["SOA"] * 4, "three datagrams and a connection were heard")


def test_forged_datagrams_are_left_aside(home, pretend, stored):
    """Another identifier, another question, rubbish; then the answer."""
    def udp(query):
        for wire in (b"", b"rubbish", answer(dns.message.make_query(ZONE, "SOA", id=query.id ^ 1), [soa(9)]).to_wire(),
                     answer(dns.message.make_query("x.", "SOA", id=query.id), [soa(9)]).to_wire()):
            server.datagrams.sendto(wire, server.source)
        return answer(query, [soa(1)]).to_wire()

    class Seen(Pretender):
        def hear(self):
            wire, self.source = self.datagrams.recvfrom(65535)
            self.datagrams.sendto(self.udp(self.parse(wire)), self.source)

    server = Seen(udp=udp)
    try:
        assert once(stored)["event"] == "unchanged"
    finally:
        server.close()


def test_answer_of_a_resolver(home, pretend, stored):
    """It knows the SOA, but it is not the zone's primary."""
    def udp(query):
        reply = answer(query, [soa(3)])
        reply.flags &= ~dns.flags.AA
        return reply.to_wire()
    pretend(udp=udp)
    assert "not authoritative" in failed(home)


def test_primary_without_the_zone(bind, home, stored):
    bind.write([])
    bind.start()
    done = once(stored, "--zone", "other.example", check=False)
    assert done.returncode == 1 and "zone other.example., primary" in done.stderr and "NOTAUTH" in done.stderr


def test_over_ipv6(home, stored):
    server = Pretender(udp=udp_serial(3), tcp=bodies(STEP), address="::1")
    try:
        assert once(stored, primary="::1")["method"] == "ixfr"
    finally:
        server.close()


# ---- limits ---------------------------------------------------------------------------------------


def test_connection_refused(home):
    assert "connecting failed: Connection refused" in failed(home)


def test_idle(home, pretend):
    def tcp(query, connection):
        connection.sendall(frame(answer(query, [soa(5), record("a")]).to_wire()))
        connection.recv(1)
    pretend(tcp=tcp)
    assert "timeout while reading" in failed(home, "--idle-timeout", "1s")


def test_whole_time(home, pretend):
    """A primary that drips: never idle, never done."""
    def tcp(query, connection):
        for octet in frame(answer(query, [soa(5), record("a")]).to_wire()) * 50:
            connection.sendall(bytes([octet]))
            connection.settimeout(0.05)
            try:
                connection.recv(1)
                return
            except TimeoutError:
                pass
    pretend(tcp=tcp)
    assert "timeout while reading" in failed(home, "--max-time", "3s", "--idle-timeout", "60s")


def test_endless_zone(home, pretend):
    """Until the limit, not until the memory ends."""
    def tcp(query, connection):
        connection.sendall(frame(answer(query, [soa(5)]).to_wire()))
        for number in range(100000):
            connection.sendall(frame(answer(query, [record(f"n{number}")]).to_wire()))
    pretend(tcp=tcp)
    assert "larger than 65536 bytes (--max-bytes)" in failed(home, "--max-bytes", "65536")


def test_text_larger_than_allowed(home, pretend):
    """255 octets of data are a kilobyte of text."""
    data = [record(f"n{number}", "TXT", '"' + "\\001" * 250 + '"') for number in range(20)]
    pretend(tcp=bodies([soa(5), *data, soa(5)]))
    assert "of text (--max-bytes)" in failed(home, "--max-bytes", "10000")


# ---- descriptors ----------------------------------------------------------------------------------


def with_descriptors(home, *more):
    """As a parent runs it: everything is open already."""
    out = os.open(home / "out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    state = os.open(home / "zone", os.O_RDONLY)
    try:
        done = subprocess.run([PROGRAM, "--zone", ZONE, "--primary", PRIMARY, "--once", "--json", "--output-fd", str(out),
                               "--state-fd", str(state), *more], pass_fds=(out, state), capture_output=True, text=True,
                              timeout=DEADLINE, check=False, env={})
        assert done.returncode == 0, done.stderr
        return done.stdout
    finally:
        os.close(out)
        os.close(state)


def test_into_a_descriptor(home, pretend, stored):
    before = stored.read_bytes()
    pretend(udp=udp_serial(3), tcp=bodies(STEP))
    assert '"method":"ixfr"' in with_descriptors(home)
    assert len(file_records(home / "out")) == 5
    assert stored.read_bytes() == before


def test_nothing_into_a_descriptor_when_unchanged(home, pretend, stored):
    pretend(udp=udp_serial(1))
    assert '"event":"unchanged"' in with_descriptors(home)
    assert (home / "out").stat().st_size == 0


def test_a_zone_that_has_no_file_yet(home, pretend, stored):
    """Known from elsewhere and still good: the file is written all the same."""
    pretend(udp=udp_serial(1))
    event = once(home / "other", "--state", str(stored))
    assert (event["event"], event["method"]) == ("changed", "none")
    assert file_records(home / "other") == file_records(stored)


# ---- rights ---------------------------------------------------------------------------------------


def test_root_that_may_not_change_users(home, pretend, stored):
    """As a child of a service with few capabilities: it goes on behind the fence."""
    pretend(udp=udp_serial(3), tcp=bodies(STEP))
    assert once(stored, wrapper=["setpriv", "--bounding-set=-all", "--inh-caps=-all"])["method"] == "ixfr"
    assert len(file_records(stored)) == 5


def test_not_root_at_all(pretend):
    """Then the file is replaced without a keeper, where the user may."""
    pretend(udp=udp_serial(3), tcp=bodies(STEP))
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        zone, program = Path(directory) / "zone", Path(directory) / "program"
        zone.write_text(zone_text(names(2), serial=1))
        shutil.copy(PROGRAM, program)
        os.chown(directory, 65534, 65534)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--zone", ZONE,
                               "--primary", PRIMARY, "--once", "--output", zone],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"zone {ZONE}: serial 3, 5 records, IXFR from 1 (+2 -2)\n"
        assert len(file_records(zone)) == 5 and zone.stat().st_uid == 65534
        assert sorted(path.name for path in Path(directory).iterdir()) == ["program", "zone"]


# ---- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize("words,why", [
    (["--primary", "192.0.2.1", "--output", "x"], "--zone is missing"),
    (["--zone", "a..b", "--primary", "192.0.2.1", "--output", "x"], "no domain name"),
    (["--zone", "x", "--output", "x"], "--primary is missing"),
    (["--zone", "x", "--primary", "ns.example", "--output", "x"], '"ns.example" is not an address'),
    (["--zone", "x", "--primary", "192.0.2.1@0", "--output", "x"], "port of 1 to 65535"),
    (["--zone", "x", "--primary", "192.0.2.1@53x", "--output", "x"], "port of 1 to 65535"),
    (["--zone", "x", "--primary", "192.0.2.1"], "--output and --output-fd"),
    (["--zone", "x", "--primary", "192.0.2.1", "--output-fd", "5"], "--output-fd needs --once"),
    (["--zone", "x", "--primary", "192.0.2.1", "--output", "x", "--secret", "s"], "unknown"),
    (["--zone", "x", "--primary", "192.0.2.1", "--output", "x", "y"], '"y" is no option'),
])
def test_usage(words, why):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1


def test_help():
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0 and done.stdout.startswith("usage: dnsguard-transfer")
