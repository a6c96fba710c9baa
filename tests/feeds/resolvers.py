# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolvers with and without a policy of their own, and a way to ask one of them thousands of questions.

Behind the guard stand a BIND and an Unbound that know of no policy; at the client's end the same two with the response
policy zone. All four have the same authoritative data, so whatever a policy leaves alone has one known answer.
"""
import json
import select
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype

from house import NAMED4, PATIENCE, UNBOUND4, House

POLICY_NAMED, POLICY_UNBOUND = "127.0.0.53", "127.0.0.54"  # at the client's end, where nobody guards
READY, POLICY_READY = ("ready.example", "192.0.2.9"), ("policy.ready", "192.0.2.99")  # names that tell what is loaded
IN_FLIGHT = 100  # few enough that no socket's buffer overflows
SILENCE = 1.5  # seconds after which a question is doubted
PROBES = 60000  # the first ID of questions that everybody answers; those of the questions asked are below

NAMED = """
options {{ directory "{dir}"; pid-file none; session-keyfile none; listen-on {{ {address}; }}; listen-on-v6 {{ none; }};
  recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; dnssec-validation no; minimal-responses no; {policy} }};
controls {{ }};
zone "." {{ type primary; file "{dir}/root.zone"; }};
{zone}
"""
NAMED_POLICY = 'response-policy { zone "rpz"; } qname-wait-recurse no recursive-only no;'
NAMED_ZONE = 'zone "rpz" {{ type primary; file "{file}"; allow-query {{ none; }}; }};'
UNBOUND = """
server:
  directory: "{dir}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: {address}
  do-daemonize: no
  module-config: "{policy}iterator"
  num-threads: 1
  access-control: 0.0.0.0/0 allow
{more}
auth-zone:
  name: "."
  zonefile: "{dir}/root.zone"
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
{zone}
remote-control:
  control-enable: no
"""
UNBOUND_ZONE = 'rpz:\n  name: "rpz"\n  zonefile: "{file}"\n'


@dataclass(frozen=True)
class Told:
    """What is compared. Records without their TTL: those of a resolver count down."""

    rcode: int
    truncated: bool
    answer: tuple
    authority: tuple
    has_opt: bool


def records(section):
    return tuple(sorted(f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {data}" for rrset in section for data in rrset))


def told(message):
    return Told(int(message.rcode()), bool(message.flags & dns.flags.TC), records(message.answer), records(message.authority),
                message.edns >= 0)


class Asker:
    """Questions over one socket, at most IN_FLIGHT of them open; answers by their ID.

    A question that is doubted will not be answered any more when one that was asked long after it, and that everybody
    answers, has its answer: these servers take what came in its order. How slow they are does not matter.
    """

    def __init__(self, netns, server):
        self.sock = netns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect((server, 53))
        self.open, self.found, self.probes, self.heard, self.probed = {}, {}, {}, time.monotonic(), 0

    def send(self, number, wire):
        self.open[number] = time.monotonic() + SILENCE
        self.sock.send(number.to_bytes(2, "big") + wire[2:])

    def probe(self, doubted):
        number = PROBES + len(self.probes)
        self.probes[number], self.probed = doubted, time.monotonic()
        self.sock.send(number.to_bytes(2, "big") + dns.message.make_query(READY[0], "A").to_wire()[2:])

    def receive(self):
        if not select.select([self.sock], [], [], 0.05)[0]:
            return
        wire = self.sock.recv(65535)
        number, self.heard = int.from_bytes(wire[:2], "big"), time.monotonic()
        if self.open.pop(number, None):
            self.found[number] = wire
        for unanswered in self.probes.get(number, ()):
            self.open.pop(unanswered, None)

    def expire(self):
        now = time.monotonic()
        doubted = [number for number, until in self.open.items() if until < now]
        assert now < self.heard + PATIENCE, "nobody is there"
        if doubted and now > self.probed + SILENCE:
            self.probe(doubted)

    def ask_once(self, wire):
        """The answer, or None when it does not come at once."""
        self.send(0, wire)
        while 0 in self.open and time.monotonic() < self.open[0]:
            self.receive()
        self.sock.close()
        return self.found.get(0)

    def ask(self, wires):
        """The answers as octets, None where none came."""
        assert len(wires) <= PROBES, "an ID names a question"
        todo = iter(enumerate(wires))
        for number, wire in todo:
            self.send(number, wire)
            while len(self.open) >= IN_FLIGHT:
                self.receive()
                self.expire()
        while self.open:
            self.receive()
            self.expire()
        self.sock.close()
        return [self.found.get(number) for number in range(len(wires))]


class FeedHouse(House):
    """The house of the network tests with the resolvers of this room."""

    def write(self, name, text):
        path = Path(self.dir) / name
        path.write_text(text)
        return path

    def json(self, *args):
        return json.loads(self.cli(*args, "--json").stdout)

    def ask(self, server, wires):
        return Asker(self.outside, server).ask(wires)

    def serve(self, netns, argv, address, config, ready):
        """A resolver in the foreground, ready when it has this name's address: both listen before they have all their zones."""
        path = self.write(f"{argv[0].rpartition('/')[2]}-{address}.conf", config)
        log = path.with_suffix(".log")
        with open(log, "w", encoding="utf-8") as stream:
            child = subprocess.Popen(netns.enter(*argv, path), stdout=stream, stderr=stream)
        self.children.append(child)
        until = time.monotonic() + PATIENCE
        while not self.knows(netns, address, *ready):
            assert child.poll() is None and time.monotonic() < until, log.read_text()
        return child

    def knows(self, netns, address, name, data):
        try:
            answer = Asker(netns, address).ask_once(dns.message.make_query(name, "A").to_wire())
        except ConnectionRefusedError:
            return False
        return answer is not None and socket.inet_aton(data) in answer

    def policy_file(self, address, policy):
        """The zone file of this resolver, with one trigger more that tells when it is in force."""
        return self.write(f"rpz-{address}.zone", f"{policy}{POLICY_READY[0]} A {POLICY_READY[1]}\n")

    def named(self, netns, address, policy=None):
        if netns is self.outside:  # named listens only on what an interface has
            netns.ip("addr", "add", f"{address}/32", "dev", "lo")
        words = {"dir": self.dir, "address": address, "policy": "", "zone": ""}
        if policy:
            words.update(policy=NAMED_POLICY, zone=NAMED_ZONE.format(file=self.policy_file(address, policy)))
        return self.serve(netns, ["/usr/sbin/named", "-g", "-n", "1", "-c"], address, NAMED.format(**words),
                          POLICY_READY if policy else READY)

    def unbound(self, netns, address, policy=None, more=""):
        """more: of the section "server"."""
        words = {"dir": self.dir, "address": address, "policy": "", "zone": "", "more": more}
        if policy:
            words.update(policy="respip ", zone=UNBOUND_ZONE.format(file=self.policy_file(address, policy)))
        return self.serve(netns, ["/usr/sbin/unbound", "-d", "-c"], address, UNBOUND.format(**words),
                          POLICY_READY if policy else READY)

    def resolvers(self, root_zone, policy_zone):
        """All four; the policy zone is at the client's end only."""
        self.write("root.zone", root_zone)
        self.named(self.inside, NAMED4)
        self.unbound(self.inside, UNBOUND4)
        self.named(self.outside, POLICY_NAMED, policy_zone)
        self.unbound(self.outside, POLICY_UNBOUND, policy_zone)
