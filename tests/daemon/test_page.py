"""The page for people, in a real browser without a head: what it says, how it looks, and what it may not do."""

import copy
import io
import json
import re
import socket

import pytest
from PIL import Image

from browser import Browser
from guarded import PORT, SERVER, Daemon, World, wait_for

URL = f"http://127.0.0.1:{PORT}/"
DRAWN = "document.body && document.body.dataset.drawn"
LIGHT, DARK = (251, 251, 250), (20, 23, 26)


@pytest.fixture(scope="module")
def world():
    """One for all: a browser only reads."""
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def daemon(world):
    one = Daemon(world, "--interface", "guarded").ready()
    world.query(count=7)
    wait_for(lambda: one.packets("pass_clean") == 7)
    world.cli("block", "www.example")
    world.query(count=3)
    wait_for(lambda: one.packets("reply_sinkhole") == 3)
    wait_for(lambda: len(history(one)["unix"]) > 0)
    return one


@pytest.fixture(scope="module")
def browser(world):
    one = Browser(world.inside.enter())
    yield one
    one.close()


def history(daemon):
    return json.loads(daemon.get("/api/history")[1])


def text(browser):
    return re.sub(r"\s+", " ", browser.ask("document.body.innerText"))


def made_up(browser, daemon, **size):
    """The page in a window of that size, and a function that draws it from documents a bit other than the daemon's."""
    browser.look(URL, **size).until(DRAWN).until("!busy && (busy = true)")  # no round of its own any more
    now, past = (json.loads(daemon.get(f"/api/{name}")[1]) for name in ("now", "history"))

    def draw(sampled=True, **other):
        told = past if sampled else {**past, "unix": [], "series": {name: [] for name in past["series"]}}
        browser.ask(f"draw({json.dumps({**copy.deepcopy(now), **other})}, {json.dumps(told)})")
        return text(browser)

    return draw


# ---- what it says ---------------------------------------------------------------------------------


def test_says_what_the_counters_say(daemon, browser):
    browser.look(URL).until(DRAWN)
    said = text(browser)
    assert browser.ask("trouble.hidden") and "enforcing: guarded" in said
    assert re.search(r"guarded enforcing native", said)
    assert re.search(r"pass_clean [\d.]+/s 7 ", said) and re.search(r"reply_sinkhole [\d.]+/s 3 ", said)
    assert re.search(r"operator 1 3 ", said)
    labels = browser.ask("[...document.querySelectorAll('svg[role=img]')].map(one => one.getAttribute('aria-label'))")
    assert len(labels) == 4 and all(re.match("last (2|5|15) minutes; now ", label) for label in labels)
    assert browser.ask("document.title").startswith("dnsguard ")


def test_asks_nobody_else_and_breaks_no_rule(daemon, browser):
    browser.look(URL).until(DRAWN)
    assert browser.complaints() == []
    assert set(browser.asked_for()) <= {URL + path for path in ("", "api/now", "api/history")} | {"data:,"}


LISTENER = {"listener": "192.0.2.1:53", "connections": 90, "peak_minute": 95, "accept_queue": 3, "accept_queue_max": 10, "new_per_second": 1,
            "quota": 100, "resolver": "named", "state": "critical", "seconds_to_full": 20}
FIRING = {"name": "DnsguardTcpNearlyFull", "of": "192.0.2.1:53", "state": "critical", "summary": "TCP quota is nearly full", "seconds": 61}


def test_says_first_what_is_wrong(daemon, browser):
    """The line on top and the title, worst first."""
    draw = made_up(browser, daemon)
    device = {"name": "eth0", "state": "observing", "mode": "native", "passed": 0, "dropped": 0, "answered": 0, "verdicts": []}
    for other, words in (({"interfaces": [device]}, "observing, every packet passes: eth0"),
                         ({"alerts": [FIRING], "interfaces": [device]}, "1 alert: TCP quota is nearly full"),
                         ({"alerts": [FIRING], "interfaces": [{**device, "state": "gone"}]}, "gone or let go: eth0"),
                         ({"interfaces": []}, "no device is guarded"),
                         ({"paused_seconds": 250, "alerts": [FIRING]}, "PAUSED for 4 min: everything passes")):
        assert words in draw(**other)
        assert browser.ask("document.title").startswith(words)
        assert browser.ask("at('health').getAttribute('role')") == "status"
    assert browser.ask("firing.hidden") is False
    draw()
    assert browser.ask("firing.hidden") is True


def test_says_that_there_is_nothing(daemon, browser):
    nothing = {key: [] for key in ("interfaces", "verdicts", "limited", "syn_senders", "lists", "tcp", "alerts", "blocked")}
    said = made_up(browser, daemon, width=390, height=844)(sampled=False, **nothing)
    for words in ("the first samples come in a few seconds", "nobody listens on a guarded TCP port", "no frame was seen yet", "nobody in the last 10 seconds", "none in the last minute"):
        assert words in said


def test_marks_the_thresholds_where_they_are(daemon, browser):
    draw = made_up(browser, daemon)
    draw(tcp=[LISTENER], thresholds={"warning_percent": 50, "critical_percent": 80})
    assert browser.ask("[...document.querySelectorAll('.gauge .mark')].map(line => +line.getAttribute('x1'))") == [70, 112]
    assert browser.ask("document.querySelector('[role=meter]').getAttribute('aria-valuenow')") == "90"
    draw(tcp=[LISTENER], thresholds={"warning_percent": None, "critical_percent": None})
    assert browser.ask("document.querySelectorAll('.gauge .mark').length") == 0


def test_shows_verdicts_of_each_device(daemon, browser):
    device = {"state": "enforcing", "mode": "native", "passed": 1, "dropped": 0, "answered": 0}
    rows = [{**device, "name": f"eth{n}", "verdicts": [{"verdict": "pass_clean", "per_second": 10 * n}]} for n in range(3)]
    said = made_up(browser, daemon)(interfaces=rows)
    assert "verdict now eth0 eth1 eth2 in all meaning" in said and re.search(r"pass_clean [\d.]+/s 0/s 10/s 20/s", said)


def test_a_pause_is_told(world, daemon, browser):
    world.cli("pause", "5m")
    try:
        browser.look(URL).until("document.body && /PAUSED for/.test(document.body.innerText)")
    finally:
        world.cli("resume")
    browser.until("/enforcing: guarded/.test(document.body.innerText)")


def test_outlives_the_daemon():
    """The page stands open while the daemon ends and comes again: it says so, keeps what it knew, and goes on."""
    world = World()
    try:
        daemon, browser = Daemon(world, "--interface", "guarded").ready(), Browser(world.inside.enter())
        browser.look(URL).until(DRAWN)
        daemon.stop()
        browser.until("document.body.className === 'old'")
        assert re.search(r"The daemon does not answer; filtering goes on without it. What stands here is of \d\d:\d\d:\d\d UTC.", text(browser))
        assert "guarded enforcing native" in text(browser)
        Daemon(world, "--interface", "guarded").ready()
        browser.until("document.body.className === '' && trouble.hidden")
        world.cli("detach", "--all", "--purge")
        browser.until("/The daemon says: no guard is loaded/.test(trouble.textContent)")
        browser.close()
    finally:
        world.close()


MARKS = "[...document.querySelectorAll('.gauge .mark')].map(line => +line.getAttribute('x1')).join()"


def test_a_reload_shows_on_the_page_that_stands_open():
    """Mode and thresholds become the new ones without the page being loaded again, and its charts go on."""
    world = World()
    try:
        config = "interfaces: [guarded]\nmode: {mode}\ntcp:\n  quota: 100\n  warning: {{at: {warning}}}\n  critical: {{at: {critical}}}\n"
        daemon = Daemon(world, config=config.format(mode="enforce", warning=50, critical=80)).ready()
        with world.inside.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((SERVER, 53))
            listener.listen()
            browser = Browser(world.inside.enter())
            browser.look(URL).until(f"{MARKS} === '70,112'").until("/enforcing: guarded/.test(document.body.innerText)")
            browser.ask("window.loadedOnce = true")
            samples = len(history(daemon)["unix"])
            world.config(config.format(mode="observe", warning=60, critical=90))
            world.cli("reload")
            browser.until(f"{MARKS} === '84,126'").until("/observing, every packet passes: guarded/.test(document.body.innerText)")
            wait_for(lambda: len(history(daemon)["unix"]) > samples)
            assert browser.ask("window.loadedOnce && trouble.hidden") is True and browser.complaints() == []
            browser.close()
    finally:
        world.close()


# ---- how it looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width,height,dark", [(1280, 900, False), (1280, 900, True), (390, 844, False), (320, 600, True)])
def test_looks_right(daemon, browser, width, height, dark):
    """The asked size, the asked ground at the edges, as much on it as a drawn page has, and nothing that sticks out."""
    browser.look(URL, width, height, dark, touch=width < 400).until(DRAWN)
    shot = Image.open(io.BytesIO(browser.picture())).convert("RGB")
    assert shot.size == (width, height) and shot.getpixel((2, 2)) == (DARK if dark else LIGHT)
    assert len(shot.getcolors(1 << 24)) > 80  # ink, lines, curves
    bright = sum(shot.convert("L").histogram()[128:]) / (width * height)
    assert bright < 0.15 if dark else bright > 0.85
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")


HOSTILE = "<img src=x onerror=alert(1)>" + "\\007" * 227  # as a name of 255 octets is shown


@pytest.mark.parametrize("width", [1280, 390])
def test_strangers_texts_are_texts(daemon, browser, width):
    """A name as long as names get, and markup wherever a stranger's or an operator's word stands."""
    markup = "<script>alert(1)</script><b>" + "W" * 60
    said = made_up(browser, daemon, width=width, height=800)(
        host=markup, version=markup, blocked=[{"name": HOSTILE, "queries": 8}], tcp=[{**LISTENER, "listener": markup, "state": markup}],
        lists=[{"name": markup, "names": 1, "answers": 1, "per_second": 0}], alerts=[{**FIRING, "summary": markup, "of": markup}],
        interfaces=[{"name": markup[:15], "state": markup, "mode": "native", "passed": 0, "dropped": 0, "answered": 0, "verdicts": []}])
    assert HOSTILE[:44] in said and HOSTILE not in said and "<script>alert(1)" in said
    assert browser.ask("[...document.querySelectorAll('[title]')].map(one => one.title)") == [HOSTILE]
    assert browser.ask("document.querySelectorAll('main b:not(.tile b), img, main script').length") == 0
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")


def test_many_devices_and_listeners_fit(daemon, browser):
    devices = [{"name": f"ethernet-dev{n:03}", "state": "enforcing", "mode": "native", "passed": 1e7, "dropped": 1e7, "answered": 1e7, "verdicts": []}
               for n in range(64)]
    listeners = [{**LISTENER, "listener": f"[2001:db8:1111:2222:3333:4444:5555:{n:04x}]:53"} for n in range(64)]
    said = made_up(browser, daemon, width=390, height=844)(interfaces=devices, tcp=listeners)
    assert "ethernet-dev063" in said and ":003f]:53" in said
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")


# Relative luminance and contrast as WCAG 2.2 defines them, of each text against the ground that it stands on.
CONTRASTS = """(() => {
  const parts = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = one => { for (; one; one = one.parentElement) { const c = parts(getComputedStyle(one).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const style = getComputedStyle(one), drawn = one instanceof SVGElement;
    if (style.display === "none" || !one.getClientRects().length) continue;
    if ([...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
      found.push({ what: one.textContent.slice(0, 40), least: 4.5, is: ratio(parts(drawn ? style.fill : style.color), ground(one)) });
    else if (one.matches("svg path, .gauge .mark")) found.push({ what: one.getAttribute("class"), least: 3, is: ratio(parts(style.stroke), ground(one)) });
    else if (one.matches(".gauge .used")) found.push({ what: "gauge", least: 3, is: ratio(parts(style.fill), parts(getComputedStyle(one.previousSibling).fill)) });
  }
  return found;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_is_enough(daemon, browser, dark):
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for texts, 3 for lines; in every state there is."""
    states = ("ok", "warning", "critical", "exhausted", "unknown")
    draw = made_up(browser, daemon, dark=dark)
    draw(tcp=[{**LISTENER, "listener": f"192.0.2.{n}:53", "state": state} for n, state in enumerate(states)],
         alerts=[FIRING, {**FIRING, "state": "warning"}],
         interfaces=[{"name": state, "state": state, "mode": "native", "passed": 0, "dropped": 0, "answered": 0, "verdicts": []}
                     for state in ("enforcing", "observing", "gone")])
    browser.ask("say('trouble', 'The daemon does not answer')")
    found = browser.ask(CONTRASTS)
    assert len(found) > 100 and {"gauge", "pass", "reply", "drop", "udp", "tcp", "quota", "limited", "mark"} <= {one["what"] for one in found}
    assert [one for one in found if one["is"] < one["least"]] == []


def test_keys_reach_all_that_scrolls(daemon, browser):
    browser.look(URL).until(DRAWN)
    reached = []
    for _ in range(9):
        browser.press("Tab", 9)
        reached.append(browser.ask("document.activeElement.id || document.activeElement.getAttribute('href')"))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["tcp", "interfaces", "limited", "syns", "blocked", "lists", "verdicts", "metrics", "healthz"]


# ---- what it may do -------------------------------------------------------------------------------


def test_thresholds_are_the_configured_ones():
    world = World()
    try:
        daemon = Daemon(world, config="interfaces: [guarded]\ntcp:\n  warning:\n    at: 55\n  critical:\n    at: 77\n").ready()
        wait_for(lambda: json.loads(daemon.get("/api/now")[1])["thresholds"] == {"warning_percent": 55, "critical_percent": 77})
        world.config("interfaces: [guarded]\ntcp:\n  warning:\n    at: 56\n")
        daemon.kill(1)
        wait_for(lambda: json.loads(daemon.get("/api/now")[1])["thresholds"] == {"warning_percent": 56, "critical_percent": 85})
    finally:
        world.close()


def test_runs_under_a_strict_policy(daemon):
    response, body = daemon.get("/")
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert re.findall(r"(?:style|script)-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", body)  # no outside asset
    assert " style=" not in body and not re.search(r"\son[a-z]+=", body)  # the policy would refuse them
    assert daemon.get("/metrics")[0].getheader("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'"


def test_only_reads(daemon):
    for path in ("/", "/api/now", "/api/history"):
        assert daemon.get(path, method="POST")[0].status == 405


def test_without_a_guard_it_is_unavailable():
    world = World()
    try:
        daemon = Daemon(world, "--interface", "guarded").ready()
        world.cli("detach", "--all", "--purge")
        response, body = daemon.get("/api/now")
        assert (response.status, body) == (503, "no guard is loaded\n")
    finally:
        world.close()


def test_the_past_is_bounded_and_in_order(world, daemon):
    past = history(daemon)
    assert past["interval_seconds"] == 5
    assert all(len(values) == len(past["unix"]) for values in past["series"].values())
    assert past["unix"] == sorted(past["unix"])
    wait_for(lambda: len(history(daemon)["unix"]) > len(past["unix"]))
