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


def test_a_quota_that_the_operator_says_is_that_of_all_listeners_as_well(room):
    """7 and 6 of 20: each alone is harmless."""
    Bind(room, f"tcp-clients 40; {BIND_WAITS} listen-on port {SECOND} {{ {SERVER}; }};")
    daemon = Daemon(room, "--interface", "guarded", config=f"""
service: {{ports: [53, {SECOND}]}}
tcp: {{quota: 20, warning: {{at: 60%, full-within: 0s, hold: 1s}}}}
""").ready()
    rows = [f'{{listener="{SERVER}:{port}"}}' for port in (53, SECOND)]
    call(room, 53, 7)
    call(room, SECOND, 6)
    wait_for(lambda: [daemon.samples().get(f"dnsguard_tcp_alert_state{row}") for row in rows] == [1, 1])
    listed = json.loads(room.cli("tcp", "--json").stdout)["listeners"]
    assert [(row["quota"], row["quota_shared"], row["quota_source"]) for row in listed] == \
        2 * [(20, True, "tcp.quota in our configuration")]
