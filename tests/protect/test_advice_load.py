# SPDX-License-Identifier: GPL-2.0-or-later
"""What `dnsguard tcp` advises is written into a real BIND's configuration, and the load that exhausted it does not any more."""
import math
import re
import select
import socket
import struct
import threading
import time

import pytest
from callers import Bind
from guarded import CLIENT, QUERY, SERVER, Daemon, run, wait_for

from crowd import enter

A_SECOND, HOLD_SECONDS = 9, 3  # 27 connections at one time, by Little's law: more than 20, and than 20 less a few
LATE_SECONDS = 0.3  # is made up for on a busy machine, and no more: that would be another load
UNANSWERED = 5  # at one time, where there is room for all: who has more is not given the processor
CONFIG = """
interfaces: [guarded]
tcp:
  exhausted: {hold: 1s}
"""
EXHAUSTED = 3
STATE = f'dnsguard_tcp_alert_state{{listener="{SERVER}:53"}}'


class Load(threading.Thread):
    """
    Connections that ask once and stay for a while, at a steady rate, until done. With `room_for_all` it stands still while the resolver
    does: what comes meanwhile and is served in one go would be a burst, and another load.
    """

    def __init__(self, room, room_for_all=False):
        super().__init__(daemon=True)
        self.netns, self.done = room.outside, threading.Event()
        self.asked = self.answered = 0
        self.unanswered_max = UNANSWERED if room_for_all else math.inf
        self.start()

    def _open(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.bind((CLIENT, 0))
        sock.connect_ex((SERVER, 53))
        return sock

    def _hear(self, held):
        """Asks on what is connected by now, and takes the answers."""
        ready = select.select(held, [s for s in held if not held[s]["asked"]], [], 0.01)
        for sock in ready[1]:
            held[sock]["asked"] = True
            self.asked += sock.send(struct.pack("!H", len(QUERY)) + QUERY) > 0
        for sock in ready[0]:
            heard = sock.recv(4096)
            self.answered += bool(heard)
            held[sock]["answered"] = True
            if not heard:  # idle for too long
                del held[sock]
                sock.close()

    def run(self):
        enter(self.netns)
        held, due = {}, time.monotonic()
        while not self.done.is_set():
            now = time.monotonic()
            if sum(not held[sock]["answered"] for sock in held) > self.unanswered_max:
                due = max(due, now)
            elif now >= due:
                due = max(due + 1 / A_SECOND, now - LATE_SECONDS)
                held[self._open()] = {"asked": False, "answered": False, "until": now + HOLD_SECONDS}
            self._hear(held)
            for sock in [s for s in held if held[s]["until"] <= now]:
                del held[sock]
                sock.close()
        for sock in held:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def overflows(room):
    """Handshakes that found the accept queue full, since the namespace was made."""
    return int(run(*room.inside.enter("nstat", "-asz", "TcpExtListenOverflows")).stdout.split()[-2])


def advised(room, setting):
    """Once the guard has seen the load as it is: what a busy machine kept from coming would be missing in the advice. None = not yet."""
    said = room.tcp()
    if said["listeners"][0]["new_per_second"] < A_SECOND * 0.85:
        return None
    return next((row["setting"] for row in said["advice"] if row["setting"].startswith(setting)), None)


@pytest.mark.parametrize("setting", ["tcp-clients", "tcp-idle-timeout"])
def test_what_is_advised_bears_the_load(room, setting):
    resolver = Bind(room, "tcp-clients 20;")
    daemon, heard = Daemon(room, config=CONFIG).ready(), []
    with Load(room) as load:
        wait_for(lambda: daemon.samples().get(STATE) == EXHAUSTED and load.answered >= 3 * A_SECOND * HOLD_SECONDS)
        wait_for(lambda: resolver.clients() == (20, 20))  # a moment after one has gone it has room
        wait_for(lambda: heard.append(advised(room, setting)) or heard[-1])
        advice = heard[-1]
    daemon.stop()
    resolver.child.kill()
    resolver.child.wait()
    resolver = Bind(room, advice if setting == "tcp-clients" else f"tcp-clients 20; {advice}")
    before = overflows(room)
    with Load(room, room_for_all=True) as load:
        wait_for(lambda: load.answered >= 3 * A_SECOND * HOLD_SECONDS and load.asked - load.answered < A_SECOND)
    most, = re.search(r"TCP high-water: (\d+)", resolver.status()).groups()
    print(f"{advice} {most} connections at most")
    assert int(most) < resolver.clients()[1] and overflows(room) == before
