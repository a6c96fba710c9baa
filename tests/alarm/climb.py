# SPDX-License-Identifier: GPL-2.0-or-later
"""BIND with its default quota of 150, one connection a second, rules as they come: the story that must not repeat itself."""

import socket
import struct
import threading
import time

from callers import BIND_WAITS, Bind, Room
from guarded import PATIENCE, SERVER, Daemon
from receivers import Receiver

QUERY = bytes.fromhex("00000100000100000000000003777777076578616d706c650000010001")
ASKED_AGAIN = 60  # seconds; BIND lets go of who is silent for longer than its idle timeout
ANSWERED_WITHIN = 10  # seconds; who is not answered then stands in the queue, however busy the machine is


def ask(sock):
    sock.sendall(struct.pack("!H", len(QUERY)) + QUERY)


class Climb(threading.Thread):
    """
    Once `climbed` is set: `refused_at`, when the first client got no answer, and what the receiver had heard. Everybody stays until
    release().
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.room = self.receiver = self.error = self.refused_at = self.began_at = None
        self.came, self.served = 0, []  # clients; of those that were answered: when they ask again, and their sockets
        self.climbed, self.released = threading.Event(), threading.Event()

    def run(self):
        try:
            self.room = Room()
            self.receiver = Receiver(self.room)
            Bind(self.room, BIND_WAITS)
            self.daemon_run = Daemon(self.room, "--interface", "guarded", config=f"""
alerts: {{log: off, webhook: "{self.receiver.url}/hook"}}
""").ready()
            self.climb()
            self.climbed.set()
            while not self.released.wait(0.2):
                self.stay()
        except Exception as error:  # for the test that waits for it
            self.error = error
        self.climbed.set()

    def climb(self):
        """Goes on a little after the first refusal: others do not know of it."""
        self.began_at = time.monotonic()
        while self.came < 200 and (not self.refused_at or time.monotonic() - self.refused_at < ANSWERED_WITHIN + 15):
            time.sleep(max(self.began_at + self.came - time.monotonic(), 0))
            sock = self.room.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.settimeout(ANSWERED_WITHIN)
            came_at = time.monotonic()
            self.came += 1
            self.room.sockets.append(sock)
            if self.is_served(sock):
                self.served.append([came_at + ASKED_AGAIN, sock])
            elif not self.refused_at:
                self.refused_at = came_at
            self.stay()

    def is_served(self, sock):
        try:
            sock.connect((SERVER, 53))
            ask(sock)
            return not self.refused_at and bool(sock.recv(512))
        except OSError:
            return False

    def stay(self):
        """Each that is served asks again now and then, so that its connection is kept. Who waits in the queue has no other choice."""
        for client in self.served:
            if client[0] <= time.monotonic():
                client[0] += ASKED_AGAIN
                ask(client[1])

    def release(self):
        self.released.set()
        self.join(PATIENCE)

    def end(self):
        self.release()
        if self.receiver:
            self.receiver.close()
        if self.room:
            self.room.close()
