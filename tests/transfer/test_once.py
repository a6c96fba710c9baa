"""One check: AXFR, IXFR, what falls back to AXFR, and the result record by record."""

import pytest

from primaries import ZONE, file_records, zone_text
from secondary import once

# What an RPZ holds, and what is awkward in a master file.
RECORDS = [
    "bad.test CNAME .", "*.bad.test CNAME .", "nodata.test CNAME *.", "good.test CNAME rpz-passthru.",
    "UPPER.Test CNAME RPZ-DROP.", "local.test A 192.0.2.1", "local.test A 192.0.2.2", "local.test AAAA 2001:db8::1",
    'text.test TXT "semi;colon" "quo\\"te" "back\\\\slash" "\\001\\255"', "mail.test MX 10 Mail.Test.",
    "32.1.2.0.192.rpz-client-ip CNAME rpz-drop.", "odd\\.label.test CNAME .", "\\009tab\\032blank.test CNAME .",
    "new.test TYPE65400 \\# 4 deadbeef", "https.test HTTPS 1 . alpn=h2", "at\\@sign.test CNAME .",
]


def names(count, first=0):
    return [f"n{number}.test CNAME ." for number in range(first, first + count)]


def test_whole_zone(primary, home):
    primary.write(RECORDS)
    primary.start()
    event = once(home / "zone")
    assert (event["event"], event["method"], event["serial"], event["from"]) == ("changed", "axfr", 1, None)
    assert file_records(home / "zone") == primary.records()
    assert event["records"] == len(primary.records())
    assert event["bytes"] == (home / "zone").stat().st_size
    assert (home / "zone").read_text().split()[:3] == [ZONE, "60", "SOA"]


def test_unchanged(primary, home):
    primary.write(RECORDS)
    primary.start()
    once(home / "zone")
    before = (home / "zone").stat()
    event = once(home / "zone")
    assert (event["event"], event["serial"], event["primary_serial"]) == ("unchanged", 1, 1)
    assert (home / "zone").stat().st_ino == before.st_ino


def test_differences_step_by_step(primary, home):
    primary.write(RECORDS)
    primary.start()
    once(home / "zone")
    steps = [
        {"add": names(3)},
        {"remove": ["bad.test CNAME ."]},
        {"add": ["bad.test CNAME rpz-passthru."], "remove": names(1)},
        {"remove": ["local.test A 192.0.2.1"], "add": ["local.test A 192.0.2.9"]},
        {"remove": ["upper.test CNAME rpz-drop.", 'text.test TXT "semi;colon" "quo\\"te" "back\\\\slash" "\\001\\255"']},
    ]
    for serial, step in enumerate(steps, 2):
        primary.change(**step)
        event = once(home / "zone")
        assert (event["method"], event["from"], event["serial"]) == ("ixfr", serial - 1, serial)
        assert (event["added"], event["deleted"]) == (len(step.get("add", ())), len(step.get("remove", ())))
        assert file_records(home / "zone") == primary.records()


def test_several_differences_at_once(primary, home):
    """A record that comes, goes and comes again: order counts."""
    primary.write(RECORDS + names(50))
    primary.start()
    once(home / "zone")
    for _ in range(3):
        primary.change(add=["flip.test CNAME ."], remove=["n7.test CNAME ."])
        primary.change(remove=["flip.test CNAME ."], add=["n7.test CNAME ."])
    primary.change(add=["flip.test CNAME rpz-drop."])
    event = once(home / "zone")
    assert (event["method"], event["from"], event["serial"]) == ("ixfr", 1, 8)
    assert file_records(home / "zone") == primary.records()


def test_serial_may_jump(primary, home):
    primary.write(RECORDS)
    primary.start()
    once(home / "zone")
    primary.change(add=names(2), serial=1000)
    event = once(home / "zone")
    assert (event["method"], event["from"], event["serial"]) == ("ixfr", 1, 1000)
    assert file_records(home / "zone") == primary.records()


def test_serial_wraps(primary, home):
    """RFC 1982: 5 is newer than 4294967290."""
    primary.write(RECORDS, serial=4294967290)
    primary.start()
    assert once(home / "zone")["serial"] == 4294967290
    primary.change(add=names(1), serial=5)
    event = once(home / "zone")
    assert (event["method"], event["from"], event["serial"]) == ("ixfr", 4294967290, 5)
    assert file_records(home / "zone") == primary.records()


def test_primary_behind_us(primary, home):
    """A primary that was set back is said, and changes nothing."""
    primary.write(RECORDS, serial=7)
    primary.start()
    (home / "zone").write_text(zone_text(names(1), serial=9))
    done = once(home / "zone", check=False)
    assert done.returncode == 0
    assert '"event":"unchanged","serial":9,"primary_serial":7' in done.stdout
    assert "serial 7, older than 9" in done.stderr


def test_journal_missing(primary, home):
    primary.write(RECORDS)
    primary.start()
    once(home / "zone")
    primary.forget_journal(RECORDS + names(5), serial=4)
    event = once(home / "zone")
    assert (event["method"], event["serial"]) == ("axfr", 4)
    assert file_records(home / "zone") == primary.records()


@pytest.mark.parametrize("lacks", [True, False], ids=["deleted-not-there", "added-already-there"])
def test_differences_that_do_not_fit(primary, home, lacks):
    """Our file is not what the primary had at that serial: the whole zone comes."""
    primary.write(RECORDS + names(3))
    primary.start()
    once(home / "zone")
    lines = (home / "zone").read_text().splitlines(True)
    if lacks:
        lines = [line for line in lines if not line.startswith("n1.test.")]
    else:
        lines.append(f"n9.test.{ZONE} 60 CNAME .\n")
    (home / "zone").write_text("".join(lines))
    primary.change(add=["n9.test CNAME ."], remove=["n1.test CNAME ."])
    event = once(home / "zone")
    assert (event["method"], event["serial"]) == ("axfr", 2)
    assert file_records(home / "zone") == primary.records()


@pytest.mark.parametrize("text,why", [
    ("$INCLUDE /etc/passwd\n", "line 1: $INCLUDE is not followed"),
    ("<html>\n", "line 1"),
    (f"x.{ZONE} 60 A 192.0.2.1\n", "line 1: the first record is not the zone's SOA"),
    (zone_text(["x.other.example. A 192.0.2.1"]), "line 6: not a record of this zone"),
    ("; nothing\n", "it has no SOA"),
])
def test_stored_zone_that_is_none(primary, home, text, why):
    primary.write(RECORDS)
    primary.start()
    (home / "zone").write_text(text)
    done = once(home / "zone", check=False)
    assert done.returncode == 0 and '"method":"axfr"' in done.stdout
    assert why in done.stderr
    assert file_records(home / "zone") == primary.records()


def test_many_messages(primary, home):
    """12,000 records are many messages, and so is a difference of 6,000."""
    primary.write(names(12000))
    primary.start()
    once(home / "zone")
    assert file_records(home / "zone") == primary.records()
    primary.replace(names(9000, 3000) + names(3000, 20000), serial=2)
    event = once(home / "zone")
    assert (event["method"], event["added"], event["deleted"]) == ("ixfr", 3000, 3000)
    assert file_records(home / "zone") == primary.records()
