# SPDX-License-Identifier: GPL-2.0-or-later
"""A resolver whose forwarder takes its time, and clients that speak DNS over TCP in all manners."""
import select
import socket
import struct
import threading
from pathlib import Path

from callers import BIND_WAITS, Bind, Unbound
from guarded import PATIENCE, SERVER

FORWARDER = ("127.0.0.1", 5353)
AT_ONCE = "at-once.example"  # the resolvers' own
HEADER = 12


def bind_waiting(room):
    zone = Path(room.dir) / "at-once"
    zone.write_text("@ 60 SOA . . 1 60 60 60 60\n@ 60 NS .\n@ 60 A 192.0.2.7\n")
    return Bind(room, f"""tcp-clients 60; {BIND_WAITS} resolver-query-timeout 30000;
  forward only; forwarders {{ 127.0.0.1 port 5353; }};""", recursion="yes", more=f'zone "{AT_ONCE}" {{ type primary; file "{zone}"; }};')


def unbound_waiting(room):
    """By default it closes a connection whose answer comes after 1.9 seconds, and tells of a server that is silent soon."""
    return Unbound(room, f'''incoming-num-tcp: 60
  tcp-idle-timeout: 120000
  unknown-server-time-limit: 60000
  do-not-query-localhost: no
  discard-timeout: 60000
  local-data: "{AT_ONCE} 60 A 192.0.2.7"''', more="""
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5353
""")


class Forwarder(threading.Thread):
    """Answers nothing until release(); from then on everything, what came before included."""

    def __init__(self, room):
        super().__init__(daemon=True)
        self.socket, self.asked, self.released = room.inside.socket(socket.AF_INET, socket.SOCK_DGRAM), set(), threading.Event()
        self.ended = False
        self.socket.bind(FORWARDER)
        self.start()

    def run(self):
        waiting = []
        while not self.ended:
            if select.select([self.socket], [], [], 0.01)[0]:
                waiting.append(self.socket.recvfrom(4096))
                self.asked.add(name_of(waiting[-1][0]))
            while waiting and self.released.is_set():
                query, peer = waiting.pop()
                self.socket.sendto(answer(query), peer)

    def release(self):
        self.released.set()

    def close(self):
        self.ended = True
        self.join()
        self.socket.close()


def name_end(message):
    at = HEADER
    while message[at]:
        at += 1 + message[at]
    return at + 1


def name_of(message):
    return bytes(message[HEADER:name_end(message)]).lower()


def answer(query):
    """One A record; without an OPT, whatever was asked."""
    question = query[HEADER:name_end(query) + 4]
    record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton("192.0.2.99")
    return query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question + record


def message(name, number=7):
    """A query as it stands in the stream, its length in front."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    return struct.pack("!H", len(query)) + query


class Client:
    """One connection. What is said is sent in one segment a piece, and in the very moment in which it has been opened."""

    def __init__(self, room, source, *pieces):
        self.socket, self.held = room.outside.socket(socket.AF_INET, socket.SOCK_STREAM), b""
        room.sockets.append(self.socket)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE)
        self.socket.bind((source, 0))
        self.socket.connect((SERVER, 53))
        self.say(*pieces)

    def say(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def _take(self, count):
        while len(self.held) < count:
            more = self.socket.recv(4096)
            assert more, "closed, and an answer is missing"
            self.held += more
        taken, self.held = self.held[:count], self.held[count:]
        return taken

    def hear(self):
        """The number of the query that is answered next."""
        length, = struct.unpack("!H", self._take(2))
        return struct.unpack("!H", self._take(length)[:2])[0]

    def is_closed(self):
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
