"""Real primaries, BIND and Knot DNS, behind one face, and what they hold.

Everything runs on loopback addresses inside the network namespace of this room: primary 127.0.0.1, secondary 127.0.0.3.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.zone

ZONE = "rpz.example."
PRIMARY, SECONDARY, STRANGER = "127.0.0.1", "127.0.0.3", "127.0.0.9"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
OTHER_SECRET = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
DEADLINE = 60  # seconds, for what happens sooner or later


def zone_text(records=(), serial=1, timers="3600 600 86400 60"):
    """A master file: SOA, NS and the records, each "OWNER TYPE DATA" below the zone."""
    head = f"$ORIGIN {ZONE}\n$TTL 60\n@ SOA ns.{ZONE} h.{ZONE} {serial} {timers}\n@ NS ns\nns A {PRIMARY}\n"
    return head + "".join(record + "\n" for record in records)


def key_text(name="k.example", algorithm="hmac-sha256", secret=SECRET):
    return f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{secret}";\n}};\n'


def until(true, what, process=None):
    """Asks again and again, because nobody tells: only for a server's start and stop."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        assert process is None or process.poll() is None, f"ended: {what}"
        time.sleep(0.02)


def ask_soa(keyring=None):
    """The primary's serial, or None while it does not answer."""
    query = dns.message.make_query(ZONE, "SOA")
    if keyring:
        query.use_tsig(keyring)
    try:
        answer = dns.query.udp(query, PRIMARY, timeout=1)
    except (OSError, dns.exception.Timeout):
        return None
    return answer.answer[0][0].serial if answer.answer else None


class Primary:
    """A server process in a directory of its own."""

    name = program = ""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.process = None
        self.key = None  # (algorithm, secret) under the name k.example
        self.zone_file = self.directory / "zone"

    def start(self):
        self.configure()
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.directory)
        until(lambda: self.serial() is not None, f"{self.name} answers", self.process)

    def serial(self):
        return ask_soa(self.keyring())

    def keyring(self):
        return dns.tsigkeyring.from_text({"k.example": self.key}) if self.key else None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(DEADLINE)
        self.process = None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(DEADLINE)

    def tool(self, *argv, **kwargs):
        done = subprocess.run(argv, cwd=self.directory, capture_output=True, text=True, timeout=DEADLINE, check=False,
                              **kwargs)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"

    def write(self, *args, **kwargs):
        self.zone_file.write_text(zone_text(*args, **kwargs))
        os.chmod(self.zone_file, 0o644)

    def records(self):
        """What a third party sees: the zone by AXFR, as comparable() has it."""
        found = set()
        for message in dns.query.xfr(PRIMARY, ZONE, relativize=False, lifetime=DEADLINE, keyring=self.keyring()):
            found |= comparable(message.answer)
        return found


class Bind(Primary):
    name = "bind"
    control = ("-s", PRIMARY, "-k", "control.key")
    notify = "explicit"  # or "no"

    def configure(self):
        transfer = 'key "k.example"' if self.key else "any"
        key = key_text(algorithm=self.key[0]) if self.key else ""
        control = key_text("control", secret=OTHER_SECRET)
        (self.directory / "control.key").write_text(control)
        (self.directory / "named.conf").write_text(f"""
{key}
options {{
	directory "{self.directory}"; pid-file "pid"; session-keyfile "session.key"; recursion no; dnssec-validation no;
	listen-on {{ {PRIMARY}; }}; listen-on-v6 {{ none; }}; notify {self.notify}; notify-delay 0; also-notify {{ {SECONDARY}; }};
	notify-source {PRIMARY}; allow-transfer {{ {transfer}; }}; ixfr-from-differences yes; max-journal-size 100M;
}};
{control}
controls {{ inet {PRIMARY} allow {{ {PRIMARY}; }} keys {{ "control"; }}; }};
zone "{ZONE}" {{ type primary; file "zone"; allow-update {{ {PRIMARY}; }}; }};
""")

    def command(self):
        return ["named", "-g", "-c", "named.conf"]

    def change(self, add=(), remove=(), serial=None):
        lines = [f"server {PRIMARY}", f"local {PRIMARY}", f"zone {ZONE}"]
        lines += [f"update delete {record.split()[0]}.{ZONE} {record.split(None, 1)[1]}" for record in remove]
        lines += [f"update add {record.split()[0]}.{ZONE} 60 {record.split(None, 1)[1]}" for record in add]
        if serial is not None:
            lines.append(f"update add {ZONE} 60 SOA ns.{ZONE} h.{ZONE} {serial} 3600 600 86400 60")
        self.tool("nsupdate", input="\n".join(lines + ["send", ""]))

    def replace(self, *args, serial, **kwargs):
        """Another zone file, of which the server makes differences itself."""
        self.tool("rndc", *self.control, "freeze", ZONE)
        self.write(*args, serial=serial, **kwargs)
        self.tool("rndc", *self.control, "thaw", ZONE)
        until(lambda: self.serial() == serial, "the new zone is served")

    def forget_journal(self, *args, **kwargs):
        """The zone changes while nobody keeps differences."""
        self.stop()
        self.write(*args, **kwargs)
        (self.directory / "zone.jnl").unlink(missing_ok=True)
        self.start()


class Knot(Primary):
    name = "knot"

    def configure(self):
        (self.directory / "db").mkdir(exist_ok=True)
        key = f"key:\n  - id: k.example\n    algorithm: {self.key[0]}\n    secret: {SECRET}\n" if self.key else ""
        with_key = "    key: k.example\n" if self.key else ""
        (self.directory / "knot.conf").write_text(f"""
server:
    listen: {PRIMARY}@53
    rundir: {self.directory}
    udp-workers: 1
    tcp-workers: 1
    tcp-io-timeout: 30000  # half a second is its default: less than a busy machine may take to read
    background-workers: 1
database:
    storage: {self.directory}/db
    journal-db-max-size: 64M
control:
    listen: {self.directory}/control
log:
  - target: stderr
    any: info
{key}
remote:
  - id: secondary
    address: {SECONDARY}@53
    via: {PRIMARY}
acl:
  - id: transfer
    action: transfer
{with_key}
zone:
  - domain: {ZONE}
    file: {self.zone_file}
    storage: {self.directory}
    notify: secondary
    acl: transfer
    journal-content: changes
    zonefile-load: difference
    zonefile-sync: -1
    semantic-checks: off
""")

    def command(self):
        return ["knotd", "-c", "knot.conf"]

    def knotc(self, *words):
        self.tool("knotc", "-c", "knot.conf", "-b", *words)

    def change(self, add=(), remove=(), serial=None):
        self.knotc("zone-begin", ZONE)
        for record in remove:
            self.knotc("zone-unset", ZONE, *record.split(None, 2))
        for record in add:
            owner, data = record.split(None, 1)
            self.knotc("zone-set", ZONE, owner, "60", *data.split(None, 1))
        if serial is not None:
            soa = f"ns.{ZONE} h.{ZONE} {serial} 3600 600 86400 60"
            self.knotc("zone-unset", ZONE, "@", "SOA")
            self.knotc("zone-set", ZONE, "@", "60", "SOA", soa)
        self.knotc("zone-commit", ZONE)

    def replace(self, *args, serial, **kwargs):
        self.write(*args, serial=serial, **kwargs)
        self.knotc("zone-reload", ZONE)
        until(lambda: self.serial() == serial, "the new zone is served")

    def forget_journal(self, *args, **kwargs):
        self.stop()
        self.write(*args, **kwargs)
        for file in (self.directory / "db" / "journal").glob("*"):
            file.unlink()
        self.start()


def comparable(rrsets):
    """Records as a set of (owner, TTL, type, data), names in lower case."""
    return {(rrset.name.canonicalize(), rrset.ttl, rrset.rdtype, rdata.to_digestable())
            for rrset in rrsets for rdata in rrset}


def file_records(path):
    """A zone file read by another implementation."""
    zone = dns.zone.from_text(Path(path).read_text(), origin=ZONE, relativize=False)
    return {(name.canonicalize(), ttl, rdata.rdtype, rdata.to_digestable()) for name, ttl, rdata in
            zone.iterate_rdatas()}
