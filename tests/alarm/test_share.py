# SPDX-License-Identifier: GPL-2.0-or-later
"""More TCP than is usual at this hour: real queries to a real BIND, held against a history put back from a backup."""

import json
import signal
import socket
import struct
from pathlib import Path

from callers import Bind
from guarded import PATIENCE, QUERY, SERVER, Daemon, wait_for
from test_states import labels_of_rule

UNUSUAL = "DnsguardTcpShareUnusual"
HOURS = 7 * 24
USUAL = 0.02
AGO_MINUTES = 3


def guard(room, receiver):
    """Of fewer queries than the test asks it makes no share, so that it cannot tell one while they are still under way."""
    return Daemon(room, "--interface", "guarded", config=f"""
limits: {{mode: observe}}
tcp: {{share: {{queries: 200, hold: 1s}}}}
alerts: {{log: off, interval: 1s, webhook: "{receiver.url}/hook"}}
""").ready()


def kept(room, name="pressure"):
    try:
        return json.loads(Path(f"{room.dir}/state/{name}.json").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def put_back(room):
    """A backup with four weeks in it, the last look some minutes old."""
    doc = kept(room)
    share = doc["share"]
    share["usual"], share["weeks"] = [USUAL] * HOURS, [4] * HOURS
    share["minute"] -= AGO_MINUTES
    share["first_minute"] -= AGO_MINUTES
    for counts in ("look_tcp", "look_all"):
        share[counts] = share[counts][AGO_MINUTES:] + share[counts][:AGO_MINUTES]
    Path(f"{room.dir}/state/pressure.json").write_text(json.dumps(doc), encoding="ascii")


def ask_udp(room, count):
    with room.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((SERVER, 53))
        for _ in range(count):
            sock.send(QUERY)
            sock.recv(512)


def ask_tcp(room, count):
    with room.outside.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((SERVER, 53))
        for _ in range(count):
            sock.sendall(struct.pack("!H", len(QUERY)) + QUERY)
            assert sock.recv(512)


def test_more_tcp_than_usual_is_told_through_a_restart_until_it_is_over(room, receiver):
    Bind(room)
    first = guard(room, receiver)
    wait_for(lambda: kept(room))
    first.stop()
    put_back(room)
    daemon = guard(room, receiver)
    ask_udp(room, 100)
    ask_tcp(room, 100)
    receiver.hears((UNUSUAL, "firing"))
    body = receiver.got[-1][2]["alerts"][0]
    assert body["labels"] == labels_of_rule(UNUSUAL) | {"instance": socket.gethostname()}
    assert "50.0 % of queries come over TCP; usual at this hour is 2.0 %" == body["annotations"]["summary"]
    wait_for(lambda: kept(room)["share"]["alarm"] and kept(room, "alerts")["sinks"][0]["delivered"])
    daemon.stop(signal.SIGKILL)
    guard(room, receiver)
    for number in range(201, 204):  # looks enough for what has ended to be over
        ask_udp(room, 1)
        wait_for(lambda: max(kept(room)["share"]["look_all"]) == number)
    receiver.hears((UNUSUAL, "firing"))
    ask_udp(room, 3000)
    receiver.hears((UNUSUAL, "firing"), (UNUSUAL, "resolved"))
