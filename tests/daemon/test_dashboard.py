"""Grafana's dashboard and Prometheus' rules: whole, readable for their programs, and only of series that the daemon has."""

import json
import math
import re
import select
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
import yaml

from guarded import PATIENCE, QUERY, ROOT, SERVER, Daemon, wait_for
from scraper import Prometheus

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dnsguard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.yaml"))
VALUES = {"$__rate_interval": "5m", "${datasource}": "x"}


def expressions():
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled(expr):
    for name, value in VALUES.items():
        expr = expr.replace(name, value)
    return re.sub(r"\$\w+", ".*", expr)


def test_every_expression_is_promql(tmp_path):
    rules = {"groups": [{"name": "panels", "rules": [{"record": f"panel:{number}", "expr": filled(expr)}
                                                    for number, (_, expr) in enumerate(expressions())]}]}
    path = tmp_path / "rules.json"  # JSON is YAML
    path.write_text(json.dumps(rules))
    checked = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_is_addressed_by_variables_alone():
    assert DASHBOARD["uid"] == "dnsguard"
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert {"datasource", "job", "instance", "interface", "listener"} <= names
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert used - {"__rate_interval", "__all"} <= names
    sources = {json.dumps(part["datasource"]) for panel in PANELS for part in (panel, *panel["targets"])}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def test_panels_are_told_apart_and_do_not_overlap():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in PANELS)
    cells = [(x, y) for panel in DASHBOARD["panels"] for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
             for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) == 23


def test_shows_only_what_there_is(world):
    body = Daemon(world, "--interface", "guarded").ready().get("/metrics")[1]
    families = set(re.findall(r"^# HELP (\S+)", body, re.M))
    for where, text in [*expressions(), *((rules.name, rules.read_text()) for rules in RULES)]:
        for name in set(re.findall(r"\b((?:dnsguard|process)_\w+)(?=[{\[) ]|$)", re.sub(r"\S+:dnsguard\S*|name: \S+", "", text))):
            assert name in families or re.sub(r"_(bucket|sum|count)$", "", name) in families, f"{where}: {name}"


def test_the_page_of_pictures_lists_its_panels():
    """deploy/docs/views.md is written from the dashboard: after a change run `make documents`."""
    printed = subprocess.run([ROOT / "deploy" / "docs" / "panels", "--print"], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "deploy" / "docs" / "views.md").read_text()
    assert len(printed.splitlines()) == len(PANELS) + 2 and printed in page
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)
    assert len(names) == 6 and all(1000 < (ROOT / "deploy" / "docs" / name).stat().st_size <= 150_000 for name in names)


CONFIG = """interfaces: [guarded]
limits:
  rate-limit: 200
  instant-limit: 200
tcp:
  quota: 100
"""


class Resolver:
    """Answers with what it was asked, over UDP and TCP: two sockets and a thread."""

    def __init__(self, netns):
        self.udp, self.tcp = (netns.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        self.over, self.thread = threading.Event(), threading.Thread(target=self.serve)
        for sock in (self.udp, self.tcp):
            sock.bind((SERVER, 53))
        self.tcp.listen(16)
        self.thread.start()

    @staticmethod
    def answer(query):
        return query[:2] + b"\x81\x80" + query[4:]

    def serve(self):
        while not self.over.is_set():
            ready = select.select([self.udp, self.tcp], [], [], 0.2)[0]
            if self.udp in ready:
                query, client = self.udp.recvfrom(512)
                self.udp.sendto(self.answer(query), client)
            if self.tcp in ready:
                connection = self.tcp.accept()[0]
                query = connection.recv(512)
                connection.sendall(query[:2] + self.answer(query[2:]))
                connection.close()

    def close(self):
        self.over.set()
        self.thread.join()
        self.udp.close()
        self.tcp.close()


def ask_over_udp(world, name, count):
    with world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(count):
            client.sendto(struct.pack(">H", number) + QUERY[2:].replace(b"www", name), (SERVER, 53))


def ask_over_tcp(world):
    with world.outside.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        client.connect((SERVER, 53))
        client.sendall(struct.pack(">H", len(QUERY)) + QUERY)
        client.recv(512)


def test_every_panel_shows_something(world):
    """A real Prometheus scrapes a guard with traffic; each query of each panel finds series there."""
    listed = Path(world.dir) / "ads.txt"
    listed.write_text("www.example\n")
    daemon, prometheus, resolver = Daemon(world, config=CONFIG).ready(), Prometheus(world, seconds=1), Resolver(world.inside)
    world.cli("list", "add", "ads", listed)
    missing = dict(enumerate(expressions()))
    try:
        wait_for(lambda: daemon.samples().get('dnsguard_list_names{list="ads"}') == 1)
        prometheus.scraped()
        deadline = time.monotonic() + PATIENCE
        while missing:
            assert time.monotonic() < deadline, f"nothing is shown by {missing}"
            ask_over_udp(world, b"www", 100)
            ask_over_udp(world, b"abc", 300)  # some of them over the limit, of the others one in 64 is timed
            ask_over_tcp(world)
            missing = {number: panel for number, panel in missing.items()
                       if all(map(math.isnan, prometheus.value(filled(panel[1]).replace("[5m]", "[20s]"))))}
    finally:
        prometheus.stop()
        resolver.close()


def test_every_alert_is_seen_firing_and_silent():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "dnsguard.rules.yaml").read_text())["groups"]
    tried = yaml.safe_load((ROOT / "tests" / "daemon" / "alerts.yaml").read_text())["tests"]
    seen = {(case["alertname"], bool(case["exp_alerts"])) for test in tried for case in test["alert_rule_test"]}
    assert seen == {(rule["alert"], fires) for group in rules for rule in group["rules"] for fires in (True, False)}


@pytest.mark.parametrize("series", ["recording.yaml", "alerts.yaml"])
def test_rules_do_what_they_say(series):
    done = subprocess.run(["promtool", "test", "rules", ROOT / "tests" / "daemon" / series], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
