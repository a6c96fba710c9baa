# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to a guarded port: who listens there, who calls, and what the guard and the resolver say of it.

A listener of the test's own decides itself whom it accepts and when it closes; BIND and Unbound say how many clients
they have, which is what the guard's count is held against.
"""
import json
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

from guarded import PATIENCE, SERVER, Http, World, run, wait_for

SERVER6, CLIENT6 = "2001:db8::1", "2001:db8::2"
KEY = 'key "rndc-key" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };'


class Room(World):
    def __init__(self):
        self.children, self.sockets = [], []
        super().__init__()

    def make_device(self, name="guarded", peer="peer"):
        for netns in (self.inside, self.outside):
            run(*netns.enter("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"))
        super().make_device(name, peer)
        self.inside.ip("addr", "add", f"{SERVER6}/64", "dev", name)
        self.outside.ip("addr", "add", f"{CLIENT6}/64", "dev", peer)

    def attach(self):
        return json.loads(self.cli("attach", "guarded", "--json").stdout)

    def tcp(self):
        return json.loads(self.cli("tcp", "--json").stdout)

    def listener(self, name=f"{SERVER}:53"):
        return next(row for row in self.tcp()["listeners"] if row["listener"] == name)

    def becomes(self, name=f"{SERVER}:53", **wanted):
        """Waits until the listener's row says so. The last step of a handshake, or of an end, is the kernel's."""
        deadline = time.monotonic() + PATIENCE
        while (row := self.listener(name)) != {**row, **wanted}:
            assert time.monotonic() < deadline, f"wanted {wanted}, still {row}"
            time.sleep(0.01)
        return row

    def listen(self, address=SERVER, netns=None, backlog=128):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = (netns or self.inside).socket(family, socket.SOCK_STREAM)
        self.sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(PATIENCE)
        sock.bind((address, 53))
        sock.listen(backlog)
        return sock

    def call(self, count=1, address=SERVER, netns=None):
        """So many connections, open on this end."""
        made = []
        for _ in range(count):
            sock = (netns or self.outside).socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                                  socket.SOCK_STREAM)
            sock.settimeout(PATIENCE)
            sock.connect((address, 53))
            made.append(sock)
        self.sockets += made
        return made

    def start(self, *argv):
        log = open(f"{self.dir}/log", "a")
        child = subprocess.Popen(self.inside.enter(*argv), stdout=log, stderr=log)
        log.close()
        self.children.append(child)
        return child

    def close(self):
        for sock in self.sockets:
            sock.close()
        for child in self.children:
            child.kill()
            child.wait()
        self.cli("detach", "--all", "--purge", check=False)
        super().close()


def hang_up(sockets, reset=False):
    for sock in sockets:
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def begin(sockets):
    """The first octet of a query: a resolver that defers accepting has the connection from there on, not before."""
    for sock in sockets:
        try:
            sock.sendall(b"\0")
        except OSError:
            pass  # sent away already
    return sockets


def still_open(sock):
    sock.setblocking(False)
    try:
        open_ = sock.recv(1) != b""
    except BlockingIOError:
        open_ = True
    except OSError:
        open_ = False
    if not open_:
        sock.close()
    return open_


def answers(room, *argv):
    return run(*room.inside.enter(*argv), check=False)


# Who says nothing is let go of after 30 seconds: on a busy machine in the middle of a test. With this it is 2 minutes, the most there is.
BIND_WAITS = "tcp-initial-timeout 1200; tcp-idle-timeout 1200;"


class Bind:
    """named, with a control channel, and what it says of itself."""

    def __init__(self, room, options="", key=KEY, more="", recursion="no"):
        self.room, self.dir = room, Path(room.dir)
        self.conf = self.dir / "named.conf"
        self.conf.write_text(f"""
{key}
options {{ directory "{room.dir}"; pid-file none; session-keyfile none; listen-on {{ {SERVER}; }};
  listen-on-v6 {{ none; }}; dnssec-validation no; recursion {recursion}; {options} }};
controls {{ inet 127.0.0.1 port 953 allow {{ any; }} keys {{ "rndc-key"; }}; }};
{more}
""")
        (self.dir / "rndc.conf").write_text(
            f'{key}\noptions {{ default-key "rndc-key"; default-server 127.0.0.1; default-port 953; }};\n')
        self.child = room.start("named", "-g", "-c", self.conf)
        wait_for(lambda: "server is up" in self.status())

    def status(self):
        return answers(self.room, "rndc", "-c", self.dir / "rndc.conf", "status").stdout

    def clients(self):
        used, most = re.search(r"tcp clients: (\d+)/(\d+)", self.status()).groups()
        return int(used), int(most)


class Unbound:
    def __init__(self, room, options="", more=""):
        self.room, self.conf = room, Path(room.dir) / "unbound.conf"
        self.conf.write_text(f"""
server:
  directory: "{room.dir}"
  chroot: ""
  username: ""
  use-syslog: no
  pidfile: ""
  interface: {SERVER}
  access-control: 0.0.0.0/0 allow
  module-config: "iterator"
  num-threads: 1
  {options}
remote-control:
  control-enable: yes
  control-interface: {room.dir}/control
{more}
""")
        self.child = room.start("unbound", "-d", "-c", self.conf)
        wait_for(lambda: self.usage() == 0)

    def usage(self):
        said = answers(self.room, "unbound-control", "-c", self.conf, "stats_noreset").stdout
        found = re.search(r"total.tcpusage=(\d+)", said)
        return int(found[1]) if found else None


class Recursor:
    def __init__(self, room, options=""):
        self.dir = Path(room.dir) / "recursor"
        self.dir.mkdir()
        self.room = room
        (self.dir / "recursor.conf").write_text(f"local-address={SERVER}\nsocket-dir={self.dir}\nthreads=1\n"
                                                f"allow-from=0.0.0.0/0\n{options}\n")
        self.start(room)

    def start(self, room):
        self.child = room.start("pdns_recursor", f"--config-dir={self.dir}", "--daemon=no")
        wait_for(lambda: (self.dir / "pdns_recursor.controlsocket").exists() and room.tcp()["listeners"])

    def clients(self):
        return int(answers(self.room, "rec_control", f"--config-dir={self.dir}", "get", "tcp-clients").stdout)


class Dnsdist:
    def __init__(self, room, binds):
        self.conf = Path(room.dir) / "dnsdist.conf"
        self.room = room
        self.conf.write_text(f"""{binds}
newServer("127.0.0.1:5300")
setACL("0.0.0.0/0")
setTCPRecvTimeout(100)
setSecurityPollSuffix("")
webserver("127.0.0.1:8083")
setWebserverConfig({{apiKey="key"}})
""")
        self.child = room.start("dnsdist", "-C", self.conf, "--supervised", "--disable-syslog")
        wait_for(lambda: room.tcp()["listeners"])

    def clients(self):
        """(connections now, most at one time), as its bind says."""
        http = Http(self.room.inside, port=8083)
        http.request("GET", "/metrics", headers={"X-API-Key": "key"})
        said = http.getresponse().read().decode()
        http.close()
        return tuple(int(re.search(rf"^dnsdist_frontend_{name}{{.*}} (\d+)$", said, re.M)[1])
                     for name in ("tcpcurrentconnections", "tcpmaxconcurrentconnections"))


class Knot:
    """kresd, with so many files as it may open."""

    def __init__(self, room, files):
        home = Path(room.dir) / "kresd"
        home.mkdir()
        (home / "conf").write_text(f"net.listen('{SERVER}', 53, {{ kind = 'dns' }})\ncache.size = 10 * MB\n")
        self.room = room
        self.child = room.start("prlimit", f"--nofile={files}:{files}", "kresd", "-n", "-c", home / "conf", home)
        wait_for(lambda: room.tcp()["listeners"])

    def clients(self):
        """Connections that it has accepted: those that wait in the queue belong to no process yet."""
        said = run(*self.room.inside.enter("ss", "-Htnp", "state", "established", "sport", "=", ":53")).stdout
        return said.count(f"pid={self.child.pid},")
