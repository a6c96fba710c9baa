"""TSIG: what is signed is verified message by message, what is refused is named."""

import os

import dns.message
import dns.name
import dns.tsig
import pytest

from pretender import KEYRING, Pretender, answer, frame, record, soa
from primaries import OTHER_SECRET, SECRET, ZONE, file_records, key_text
from secondary import once

KEY = KEYRING[dns.name.from_text("k.example")]


@pytest.fixture
def key(home):
    """Writes a key file and returns the words that name it."""

    def write(text=None, **kwargs):
        path = home / "key"
        path.write_text(text or key_text(**kwargs))
        os.chmod(path, 0o600)
        return ["--tsig-file", str(path)]

    return write


def names(count):
    return [f"n{number}.test CNAME ." for number in range(count)]


@pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_good_key(primary, home, key, algorithm):
    primary.key = (algorithm, SECRET)
    primary.write(names(10))
    primary.start()
    words = key(algorithm=algorithm)
    assert once(home / "zone", *words)["method"] == "axfr"
    assert once(home / "zone", *words)["event"] == "unchanged"
    assert file_records(home / "zone") == primary.records()


def test_many_signed_messages(primary, home, key):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(12000))
    primary.start()
    assert once(home / "zone", *key())["records"] == 12003
    assert file_records(home / "zone") == primary.records()


def test_knot_syntax(primary, home, key):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    words = key(f"# hmac-sha256:k.example:{SECRET}\nkey:\n  - id: k.example\n    algorithm: hmac-sha256\n"
                f"    secret: {SECRET}\n")
    assert once(home / "zone", *words)["event"] == "changed"


def refused(home, *words, wrapper=()):
    done = once(home / "zone", *words, check=False, wrapper=wrapper)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dnsguard-transfer: zone {ZONE}, primary 127.0.0.1@53: ")
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr
    assert not (home / "zone").exists()
    return done.stderr


def test_wrong_secret(primary, home, key):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    assert "BADSIG" in refused(home, *key(secret=OTHER_SECRET))


def test_unknown_key(primary, home, key):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    assert "BADKEY" in refused(home, *key(name="stranger.example"))


def test_clocks_apart(primary, home, key):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    assert "BADTIME" in refused(home, *key(), wrapper=["faketime", "-f", "-1h"])


def test_no_key_where_one_is_needed(primary, home):
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    error = refused(home)
    assert "REFUSED" in error or "NOTAUTH" in error


# ---- a primary in between that changes what it passes on ------------------------------------------


def signed(query, bodies):
    """The bodies (lists of records) as wire messages, each signed and bound to the one before."""
    context, wires = None, []
    for body in bodies:
        reply = answer(query, body)
        reply.use_tsig(KEY, fudge=300)
        wires.append(reply.to_wire(multi=True, tsig_ctx=context))
        context = reply.tsig_ctx
    return wires


BODIES = [[soa(5), record("a")], [record("b")], [record("c"), soa(5)]]


def serve(alter):
    def tcp(query, connection):
        for wire in alter(query, signed(query, BODIES)):
            connection.sendall(frame(wire))
    return tcp


def without_tsig(query, wires, number):
    """One message as an attacker would make it: the same records, no signature."""
    bare = dns.message.make_query(ZONE, "AXFR", id=query.id)
    return wires[:number] + [answer(bare, BODIES[number]).to_wire()] + wires[number + 1:]


def flipped(_query, wires, number):
    """A letter of the record in the middle of a message is another one."""
    at = wires[number].index(b"\x01" + b"abc"[number:number + 1]) + 1
    return wires[:number] + [wires[number][:at] + b"x" + wires[number][at + 1:]] + wires[number + 1:]


@pytest.mark.parametrize("alter,why", [
    (lambda query, wires: wires, None),
    (lambda query, wires: flipped(query, wires, 0), "BADSIG"),
    (lambda query, wires: flipped(query, wires, 1), "BADSIG"),
    (lambda query, wires: flipped(query, wires, 2), "BADSIG"),
    (lambda query, wires: without_tsig(query, wires, 0), "not signed"),
    (lambda query, wires: without_tsig(query, wires, 1), "BADSIG"),
    (lambda query, wires: without_tsig(query, wires, 2), "end of its answer is not signed"),
    (lambda query, wires: [wires[1], wires[0], wires[2]], "BADSIG"),
    (lambda query, wires: [wires[0], wires[2]], "BADSIG"),
], ids=["untouched", "first-changed", "middle-changed", "last-changed", "first-unsigned", "middle-unsigned",
        "last-unsigned", "swapped", "one-left-out"])
def test_every_message_counts(home, key, alter, why):
    server = Pretender(tcp=serve(alter), keyring=KEYRING)
    try:
        if why:
            assert why in refused(home, *key())
            assert server.asked == ["AXFR"]
        else:
            assert once(home / "zone", *key())["records"] == 4
    finally:
        server.close()


# ---- the key file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text,why", [
    ("", "one is missing"),
    ('key "k" { algorithm hmac-sha256; };', "one is missing"),
    (key_text() + key_text(), "more than one key"),
    (key_text(algorithm="hmac-md5"), "algorithm is none of"),
    (key_text(algorithm="rot13"), "algorithm is none of"),
    (key_text(secret="!!!"), "no base64"),
    ("options { directory \"/\"; };", "more than one key's name"),
])
def test_bad_key_file(home, key, text, why):
    words = key(text or "# nothing\n")
    done = once(home / "zone", *words, check=False)
    assert done.returncode == 2
    assert why in done.stderr and str(home / "key") in done.stderr and SECRET not in done.stderr


def test_key_file_that_others_read(home, key):
    words = key()
    os.chmod(home / "key", 0o644)
    done = once(home / "zone", *words, check=False)
    assert done.returncode == 2 and "chmod o-rwx" in done.stderr


def test_key_file_of_roots(primary, home, key):
    """Opened before the rights are gone: nobody could not."""
    primary.key = ("hmac-sha256", SECRET)
    primary.write(names(3))
    primary.start()
    words = key()
    assert os.stat(home / "key").st_mode & 0o777 == 0o600 and os.stat(home / "key").st_uid == 0
    assert once(home / "zone", *words)["event"] == "changed"
