"""The listener: what Prometheus makes of it, what HTTP asks of it, and what it does when it is besieged."""

import errno
import json
import re
import signal
import socket
import subprocess
import time

import pytest

from guarded import PATIENCE, PORT, ROOT, Daemon, Http, wait_for
from scraper import Prometheus

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS_ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


@pytest.fixture
def daemon(world):
    return Daemon(world, "--interface", "guarded").ready()


def test_text_format_pleases_promtool(daemon):
    response, body = daemon.get("/metrics")
    assert (response.status, response.getheader("Content-Type")) == (200, TEXT)
    linted = subprocess.run(["promtool", "check", "metrics"], input=body, text=True, capture_output=True)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_openmetrics_by_accept(daemon):
    response, body = daemon.get("/metrics", Accept=PROMETHEUS_ACCEPT)
    assert (response.status, response.getheader("Content-Type")) == (200, OPENMETRICS)
    assert body.endswith("\n# EOF\n") and body.count("# EOF") == 1


def test_prometheus_itself_reads_openmetrics(world, daemon):
    """Prometheus asks for OpenMetrics first (test above), so this is its own parser's word on that format."""
    prometheus = Prometheus(world, seconds=10)
    try:
        target = prometheus.scraped()
        assert (target["health"], target["lastError"]) == ("up", "")
        wait_for(lambda: prometheus.value("dnsguard_up") == [1])  # told before it is stored
        assert len(prometheus.value("dnsguard_packets_total")) > 30
        assert prometheus.value("dnsguard_build_info") == [1]
        kinds = prometheus.ask("/api/v1/metadata?metric=dnsguard_packets_total") or \
            prometheus.ask("/api/v1/metadata?metric=dnsguard_packets")
        assert [row["type"] for rows in kinds.values() for row in rows] == ["counter"]
    finally:
        prometheus.stop()


def test_no_series_twice_and_all_whole(daemon):
    body = daemon.get("/metrics")[1]
    rows = [line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#")]
    assert len({name for name, _ in rows}) == len(rows)
    counted = [value for name, value in rows if re.search(r"_(total|bucket|count)\b", name) and "_seconds_total" not in name]
    assert len(counted) > 50 and all(re.fullmatch(r"\d+", value) for value in counted)
    assert all(re.fullmatch(r"\d+(\.\d+)?", value) for _, value in rows)


def test_series_that_are_promised(daemon):
    samples = daemon.samples()
    families = {name.split("{")[0] for name in samples}
    assert families >= {
        "dnsguard_packets_total", "dnsguard_bytes_total", "dnsguard_dns_queries_total",
        "dnsguard_sinkhole_answers_total", "dnsguard_ratelimit_packets_total", "dnsguard_tcp_syn_total",
        "dnsguard_events_lost_total", "dnsguard_map_entries", "dnsguard_map_max_entries", "dnsguard_map_memory_bytes",
        "dnsguard_up", "dnsguard_enforcing", "dnsguard_limited_sources", "dnsguard_names", "dnsguard_build_info",
        "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_start_time_seconds", "process_open_fds", "process_max_fds"}
    assert samples['dnsguard_enforcing{interface="guarded"}'] == 1
    assert samples['dnsguard_map_memory_bytes{map="dg_limiter"}'] >= 8 << 20


def test_alert_rules_are_good_and_speak_of_series_there_are(daemon):
    rules = ROOT / "deploy" / "prometheus" / "dnsguard.rules.yaml"
    checked = subprocess.run(["promtool", "check", "rules", rules], text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    named = set(re.findall(r"\b(?:dnsguard|process)_[a-z_]+\b", rules.read_text()))
    families = set(re.findall(r"^# TYPE (\S+)", daemon.get("/metrics")[1], re.MULTILINE))
    assert len(named) >= 3 and named <= families


def test_pages_and_methods(daemon):
    response, body = daemon.get("/")
    assert response.status == 200 and 'href="metrics"' in body and 'href="healthz"' in body
    response, body = daemon.get("/healthz")
    assert (response.status, body) == (200, "ok\n")
    assert daemon.get("/nowhere")[0].status == 404
    assert daemon.get("/metrics/../metrics")[0].status == 404
    response, body = daemon.get("/metrics", method="POST")
    assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD")


def test_head_is_get_without_a_body(daemon):
    response, body = daemon.get("/metrics", method="HEAD")
    assert (response.status, response.getheader("Content-Type"), body) == (200, TEXT, "")
    assert int(response.getheader("Content-Length")) > 1000


def test_listens_on_loopback_only(world, daemon):
    sock = world.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
    with pytest.raises(ConnectionRefusedError):
        sock.connect(("192.0.2.1", PORT))


@pytest.mark.parametrize("bad", [
    b"\x00\xff\xfe garbage\r\n\r\n",
    b"GET /metrics\r\n\r\n",
    b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 40000 + b"\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"z" * 100000,
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
], ids=["bytes", "no-version", "long-path", "long-header", "body", "bad-length"])
def test_bad_requests_leave_it_standing(world, daemon, bad):
    sock = world.inside.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", PORT))
    try:
        sock.sendall(bad)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except OSError as error:  # it need not listen to the end
        assert error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
    assert daemon.get("/healthz")[0].status == 200


def test_listener_can_be_switched_off(world):
    Daemon(world, "--interface", "guarded", "--listen", "off").ready()
    with pytest.raises(ConnectionRefusedError):
        Http(world.inside).connect()


def test_ipv6_listener(world):
    Daemon(world, "--interface", "guarded", "--listen", "[::1]:10530").ready()
    connection = Http(world.inside, host="::1")
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"


def test_port_taken_is_refused_before_anything_is_attached(world):
    sock = world.inside.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", PORT))
    sock.listen()
    status, log = Daemon(world, "--interface", "guarded").fails()
    assert status == 1
    assert f"cannot serve metrics on 127.0.0.1:{PORT}: Address already in use; choose another with" in log
    assert not (world.bpffs / "dnsguard").exists()
