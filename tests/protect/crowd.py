# SPDX-License-Identifier: GPL-2.0-or-later
"""Those who hold connections and say nothing, and those who want one answer.

A holder keeps as many connections as it can get: one that is closed for it, or refused, is opened again at once. An honest
client is a plain stub: it connects, asks one question, waits 5 seconds in all, and does not try again.
"""
import os
import selectors
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from guarded import CLONE_NEWNET, QUERY, SERVER, libc

WAIT_SECONDS = 5
# Holders open so many at a time: of a burst most would find the accept queue full, and not hold what they think they do.
AT_ONCE, PAUSE_SECONDS = 5, 0.01


def enter(netns):
    """This thread's sockets are made in there from now on."""
    fd = os.open(netns.path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError("setns")
    finally:
        os.close(fd)


def addresses(room, first, count):
    """So many more addresses of the peer, all in the /24 of the server: the hardest place to tell them apart."""
    made = [f"192.0.2.{first + i}" for i in range(count)]
    for address in made:
        room.outside.ip("addr", "add", f"{address}/24", "dev", "peer")
    return made


class Holders(threading.Thread):
    """`count` connections in all, of these sources in turn, until stop()."""

    def __init__(self, room, sources, count):
        super().__init__(daemon=True)
        self.netns, self.ended = room.outside, threading.Event()
        self.wanted = [sources[i % len(sources)] for i in range(count)]
        self.lost = 0  # connections that were closed for us
        self.start()

    def _open(self, source):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.bind((source, 0))
        sock.connect_ex((SERVER, 53))
        return sock

    def run(self):
        enter(self.netns)
        waiting, selector = list(self.wanted), selectors.DefaultSelector()
        while not self.ended.is_set():
            now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            for source in now:
                selector.register(self._open(source), selectors.EVENT_READ, source)
            for key, _ in selector.select(0):  # end of file, or an error: data nobody sends
                selector.unregister(key.fileobj)
                key.fileobj.close()
                waiting.append(key.data)
                self.lost += 1
            self.ended.wait(PAUSE_SECONDS)
        for key in list(selector.get_map().values()):
            key.fileobj.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            key.fileobj.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def ask(room, source):
    """Was the question answered?"""
    enter(room.outside)
    deadline = time.monotonic() + WAIT_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(WAIT_SECONDS)
            sock.bind((source, 0))
            sock.connect((SERVER, 53))
            sock.sendall(struct.pack("!H", len(QUERY)) + QUERY)
            said = b""
            while len(said) < 4:
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                more = sock.recv(4096)
                if not more:
                    return False
                said += more
            return said[2:4] == QUERY[:2]
        except OSError:
            return False


def answered(room, clients, rounds=1):
    """The share of questions that were answered: each client asks `rounds` times, all of them side by side."""
    def questions(source):
        return [ask(room, source) for _ in range(rounds)]

    with ThreadPoolExecutor(len(clients)) as pool:
        said = [yes for several in pool.map(questions, clients) for yes in several]
    return sum(said) / len(said)
