"""The peak of a day is that of a quota: BIND has one for all its listeners, and each of them alone looks harmless."""

import json
import signal
import socket

from callers import BIND_WAITS, Bind
from guarded import PATIENCE, SERVER, Daemon, wait_for

SECOND = 5353


def call(room, port, count):
    for _ in range(count):
        sock = room.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE)
        sock.connect((SERVER, port))
        room.sockets.append(sock)


def test_listeners_that_share_a_quota_have_one_peak(room):
    Bind(room, f"tcp-clients 40; {BIND_WAITS} listen-on port {SECOND} {{ {SERVER}; }};")
    daemon = Daemon(room, "--interface", "guarded", config=f"service: {{ports: [53, {SECOND}]}}\n").ready()
    rows = [f'{{listener="{SERVER}:{port}"}}' for port in (53, SECOND)]
    wait_for(lambda: [daemon.samples().get(f"dnsguard_tcp_quota_connections{row}") for row in rows] == [40, 40])
    call(room, 53, 7)
    call(room, SECOND, 6)
    wait_for(lambda: [daemon.samples().get(f"dnsguard_tcp_connections{row}") for row in rows] == [7, 6])
    assert daemon.stop(signal.SIGTERM) == 0  # writes the last minute
    assert json.loads(room.cli("report", "tcp", "--json").stdout)["days"][-1]["peak_connections"] == 13
