"""BIND and Unbound with one response policy zone, and a way to ask them thousands of questions.

Both stand in a network namespace of their own, with a root zone that answers everything, so that whatever the policy
leaves alone has one known answer. Run as a program inside the namespace it asks: peers.py ADDRESS PORT < questions.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time

import dns.message
import dns.rcode

LEFT_ALONE = {"A": "198.51.100.1", "AAAA": "2001:db8:ffff::1", "TXT": '"left alone"'}
ROOT_ZONE = "$TTL 300\n. SOA ns. root. 1 3600 600 86400 60\n. NS ns.\nns. A 127.0.0.1\n" + "".join(
    "*. %s %s\n" % pair for pair in LEFT_ALONE.items())
NAMED = """
options { directory "%(dir)s"; pid-file none; session-keyfile none; listen-on port 5301 { 127.0.0.1; };
  listen-on-v6 { none; }; recursion yes; allow-query { any; }; dnssec-validation no; minimal-responses no;
  response-policy { zone "rpz.test"; } qname-wait-recurse no recursive-only no; };
controls { };
zone "." { type primary; file "root.zone"; };
zone "rpz.test" { type primary; file "rpz.zone"; allow-query { none; }; };
"""
UNBOUND = """
server:
  directory: "%(dir)s"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: 5302
  do-daemonize: no
  module-config: "respip iterator"
  num-threads: 1
  access-control: 127.0.0.0/8 allow
auth-zone:
  name: "."
  zonefile: "root.zone"
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
rpz:
  name: "rpz.test"
  zonefile: "rpz.zone"
remote-control:
  control-enable: no
"""
PORTS = {"named": 5301, "unbound": 5302}
PATIENCE = 60  # seconds
SILENCE = 1.5  # seconds after which a question is doubted
PROBE, PROBES = ("answers.at.all", "A"), 60000  # a question that everybody answers, and the first ID of such


class Peers:
    """Both resolvers with this policy; close() ends them and the namespace."""

    def __init__(self, directory, policy):
        self.children, self.namespace = [], "dgc-peers-%d" % os.getpid()
        for file, content in (("root.zone", ROOT_ZONE), ("rpz.zone", policy), ("named.conf", NAMED % {"dir": directory}),
                              ("unbound.conf", UNBOUND % {"dir": directory})):
            (directory / file).write_text(content)
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(["ip", "-n", self.namespace, "link", "set", "lo", "up"], check=True)
        self._start(directory, "/usr/sbin/named", "-f", "-c", str(directory / "named.conf"), "-n", "1")
        self._start(directory, "/usr/sbin/unbound", "-d", "-c", str(directory / "unbound.conf"))
        for port in PORTS.values():
            self._await(port)

    def _start(self, directory, *argv):
        with open(directory / (os.path.basename(argv[0]) + ".log"), "w", encoding="utf-8") as log:
            self.children.append(subprocess.Popen(["ip", "netns", "exec", self.namespace, *argv], stdout=log, stderr=log))

    def _await(self, port):
        until = time.monotonic() + PATIENCE
        while self.ask_port(port, [PROBE]) != [[0, False, ["198.51.100.1"]]]:
            assert time.monotonic() < until, "resolver on port %d does not answer" % port

    def ask_port(self, port, questions):
        done = subprocess.run(["ip", "netns", "exec", self.namespace, "/usr/bin/python3", __file__, "127.0.0.1", str(port)],
                              input=json.dumps(questions), capture_output=True, text=True, timeout=120, check=True)
        return json.loads(done.stdout)

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)


def told(message):
    """What is compared: RCODE, TC, and the answer section's data in order of their text."""
    return [int(message.rcode()), bool(message.flags & 0x0200),
            sorted(str(data) for rrset in message.answer for data in rrset)]


def ask_all(address, port, questions):
    """One answer for each question, None for those that get none. At most 100 are under way.

    A question that is doubted will not be answered any more when one that was asked long after it, and that everybody
    answers, has its answer: these servers take what came in its order. How slow they are does not matter.
    """
    found, under_way, probes, probed, heard = [None] * len(questions), {}, {}, 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect((address, port))

        def send(number, question):
            try:
                sock.send(dns.message.make_query(*question, id=number).to_wire())
            except ConnectionRefusedError:
                pass

        todo = list(enumerate(questions))
        while todo or under_way:
            while todo and len(under_way) < 100:
                number, question = todo.pop()
                under_way[number] = time.monotonic() + SILENCE
                send(number, question)
            if select.select([sock], [], [], 0.05)[0]:
                try:
                    message = dns.message.from_wire(sock.recv(4096))
                except ConnectionRefusedError:
                    return found  # nobody is there yet
                heard = time.monotonic()
                if under_way.pop(message.id, None):
                    found[message.id] = told(message)
                for number in probes.get(message.id, ()):
                    under_way.pop(number, None)
            now = time.monotonic()
            doubted = [number for number, until in under_way.items() if until < now]
            assert now < heard + PATIENCE, "nobody answers"
            if doubted and now > probed + SILENCE:
                probes[PROBES + len(probes)], probed = doubted, now
                send(PROBES + len(probes) - 1, PROBE)
    return found


if __name__ == "__main__":
    json.dump(ask_all(sys.argv[1], int(sys.argv[2]), json.load(sys.stdin)), sys.stdout)
