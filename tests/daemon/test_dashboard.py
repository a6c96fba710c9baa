"""Grafana's dashboard and Prometheus' rules: whole, readable for their programs, and only of series that the daemon has."""

import json
import re
import subprocess

import pytest
import yaml

from guarded import ROOT, Daemon

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


def test_every_alert_is_seen_firing_and_silent():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "dnsguard.rules.yaml").read_text())["groups"]
    tried = yaml.safe_load((ROOT / "tests" / "daemon" / "alerts.yaml").read_text())["tests"]
    seen = {(case["alertname"], bool(case["exp_alerts"])) for test in tried for case in test["alert_rule_test"]}
    assert seen == {(rule["alert"], fires) for group in rules for rule in group["rules"] for fires in (True, False)}


@pytest.mark.parametrize("series", ["recording.yaml", "alerts.yaml"])
def test_rules_do_what_they_say(series):
    done = subprocess.run(["promtool", "test", "rules", ROOT / "tests" / "daemon" / series], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
