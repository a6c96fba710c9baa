"""The page for people, in a real browser without a head: what it says, how it looks, and what it may not do."""

import json
import re
import struct
import subprocess
import zlib

import pytest

from guarded import PORT, Daemon, World, wait_for

URL = f"http://127.0.0.1:{PORT}/"
# The page draws as soon as both documents are there; virtual time runs until then.
BROWSER = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
           "--disable-extensions", "--force-device-scale-factor=1", "--virtual-time-budget=6000")


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
    world.cli("block", "www.example")
    world.query(count=3)
    wait_for(lambda: len(history(one)["unix"]) > 0)
    return one


def history(daemon):
    return json.loads(daemon.get("/api/history")[1])


def browse(world, *argv):
    done = subprocess.run(world.inside.enter(*BROWSER, f"--user-data-dir={world.dir}/chromium", *argv, URL), capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def picture(world, width, height, *argv):
    path = f"{world.dir}/page.png"
    browse(world, f"--screenshot={path}", f"--window-size={width},{height}", *argv)
    with open(path, "rb") as file:
        return Picture(file.read())


class Picture:
    """As much of PNG (RFC 2083) as a screenshot uses: 8 bits, RGB or RGBA, not interlaced."""

    def __init__(self, data):
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        self.width, self.height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", data[16:29])
        assert (depth, interlaced) == (8, 0) and colour in (2, 6)
        self.octets = 3 if colour == 2 else 4
        packed, at = b"", 8
        while at < len(data):
            length, kind = struct.unpack(">I4s", data[at:at + 8])
            packed += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
            at += 12 + length
        self.rows = self.unfilter(zlib.decompress(packed))

    def unfilter(self, raw):
        size, rows = self.width * self.octets, [bytearray(self.width * self.octets)]
        for y in range(self.height):
            kind, row = raw[y * (size + 1)], bytearray(raw[y * (size + 1) + 1:(y + 1) * (size + 1)])
            self.row_unfilter(kind, row, rows[-1])
            rows.append(row)
        return rows[1:]

    def row_unfilter(self, kind, row, above):
        for x in range(len(row)):
            left = row[x - self.octets] if x >= self.octets else 0
            corner = above[x - self.octets] if x >= self.octets else 0
            guess = {0: 0, 1: left, 2: above[x], 3: (left + above[x]) // 2, 4: paeth(left, above[x], corner)}[kind]
            row[x] = (row[x] + guess) & 255

    def at(self, x, y):
        return tuple(self.rows[y][x * self.octets:x * self.octets + 3])

    def colours(self, step=4):
        """How often each colour is seen on a grid of points."""
        seen = {}
        for y in range(0, self.height, step):
            for x in range(0, self.width, step):
                seen[self.at(x, y)] = seen.get(self.at(x, y), 0) + 1
        return seen


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", html, flags=re.S))


def test_says_what_the_counters_say(world, daemon):
    html = browse(world, "--dump-dom")
    assert 'data-drawn="yes"' in html and 'id="trouble" role="alert" hidden' in html
    text = words(html)
    assert re.search(r"guarded enforcing native", text)
    assert re.search(r"pass_clean [\d.]+/s 7 ", text) and re.search(r"reply_sinkhole [\d.]+/s 3 ", text)
    assert re.search(r"operator 1 3 ", text)
    assert html.count("<svg") >= 3 and 'aria-label="last 15 minutes; now passed' in html


LIGHT, DARK = (251, 251, 250), (20, 23, 26)


@pytest.mark.parametrize("width,height,argv,ground", [
    (1280, 900, (), LIGHT),
    (1280, 900, ("--blink-settings=preferredColorScheme=0",), DARK),
    (500, 1600, (), LIGHT),
])
def test_looks_right(world, daemon, width, height, argv, ground):
    """The asked size, the asked ground at the edges, and as much on it as a drawn page has."""
    shot = picture(world, width, height, *argv)
    assert (shot.width, shot.height) == (width, height)
    colours = shot.colours()
    assert shot.at(2, 2) == ground
    assert len(colours) > 20  # ink, lines, curves
    bright = sum(count for colour, count in colours.items() if sum(colour) > 384) / sum(colours.values())
    assert bright > 0.85 if ground == LIGHT else bright < 0.15


def test_nothing_is_wider_than_a_phone(world, daemon):
    """At 500 pixels, the narrowest a browser without a head will be, the right edge is bare ground: nothing sticks out."""
    shot = picture(world, 500, 1600)
    assert {shot.at(x, y) for x in (497, 498, 499) for y in range(0, 1600, 7)} == {LIGHT}


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


def test_says_when_the_guard_is_gone():
    world = World()
    try:
        daemon = Daemon(world, "--interface", "guarded").ready()
        world.cli("detach", "--all", "--purge")
        response, body = daemon.get("/api/now")
        assert (response.status, body) == (503, "no guard is loaded\n")
        assert "The daemon does not answer: no guard is loaded" in words(browse(world, "--dump-dom"))
    finally:
        world.close()


def test_the_past_is_bounded_and_in_order(world, daemon):
    past = history(daemon)
    assert past["interval_seconds"] == 5
    assert all(len(values) == len(past["unix"]) for values in past["series"].values())
    assert past["unix"] == sorted(past["unix"])
    wait_for(lambda: len(history(daemon)["unix"]) > len(past["unix"]))
