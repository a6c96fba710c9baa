"""Lists from web servers: fetched when they changed, kept when the server misbehaves, without rights while it talks."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import server as web
from house import BUILD, FAILED, NOT_FOUND, OK, PATIENCE, Netns

NAMES = "a.example\nb.example\n"


@pytest.fixture
def server():
    made = web.Server()
    yield made
    made.close()


def fetch(room, *args, status=OK, **kwargs):
    """Runs dnsguard-fetch itself; returns (report, what it wrote)."""
    with open(room.dir / "out", "w+b") as out:
        done = subprocess.run([str(BUILD / "dnsguard-fetch"), f"--output-fd={out.fileno()}", *map(str, args)], text=True,
                              capture_output=True, pass_fds=[out.fileno()], timeout=PATIENCE, **kwargs)
        assert done.returncode == status, done
        out.seek(0)
        return json.loads(done.stdout) if done.stdout else done.stderr, out.read()


# ---- through the pipeline -------------------------------------------------------------------------


def test_a_list_from_a_url(room, server):
    server.pages["/l"] = web.text(NAMES)
    room.cli("list", "add", "l", server.url("/l"))
    assert room.dump("l") == ["a.example", "b.example"]
    assert server.seen[0][1]["User-Agent"].startswith("dnsguard/")


def test_what_did_not_change_is_not_sent_again(room, server):
    server.pages["/l"] = web.versioned(NAMES, '"v1"')
    room.cli("list", "add", "l", server.url("/l"))
    report = room.json("list", "update")
    assert report["lists"][0]["outcome"] == "unchanged" and not report["compiled"]
    assert [headers.get("If-None-Match") for _, headers in server.seen] == [None, '"v1"']
    server.pages["/l"] = web.versioned(NAMES + "c.example\n", '"v2"')
    assert room.json("list", "update")["lists"][0]["outcome"] == "updated"
    assert room.dump("l") == ["a.example", "b.example", "c.example"]
    room.cli("list", "update", "--force")
    assert server.seen[-1][1].get("If-None-Match") is None


def test_last_modified_does_as_well(room, server):
    date = "Tue, 24 Nov 2026 10:00:00 GMT"
    server.pages["/l"] = web.text(NAMES, Last_Modified=date)
    room.cli("list", "add", "l", server.url("/l"))
    room.cli("list", "update")
    assert server.seen[1][1]["If-Modified-Since"] == date


def test_a_refused_version_is_asked_for_again(room, server):
    """The ETag of what was refused is forgotten with it: else the server would say 304 to an old list for ever."""
    server.pages["/l"] = web.versioned(NAMES, '"good"')
    room.cli("list", "add", "l", server.url("/l"))
    server.pages["/l"] = web.versioned("<html>", '"bad"')
    for _ in range(2):
        assert "HTML" in room.json("list", "update", status=FAILED)["lists"][0]["error"]
    assert server.seen[-1][1]["If-None-Match"] == '"good"'


def test_how_long_it_holds(room, server):
    server.pages["/plain"] = web.text(NAMES)
    server.pages["/head"] = web.text("! Title: x\n! Expires: 4 days (update frequency)\n||a.example^\n")
    server.pages["/age"] = web.text(NAMES, Cache_Control="public, max-age=7200")
    for name in ("plain", "head", "age"):
        room.cli("list", "add", name, server.url(f"/{name}"))
    room.cli("list", "add", "own", server.url("/head"), "--refresh", "6h")
    rows = {row["name"]: row for row in room.lists()}
    assert rows["plain"]["interval_seconds"] == 0 and rows["plain"]["expires"] is None
    assert rows["head"]["interval_seconds"] == 4 * 86400 and rows["own"]["refresh_seconds"] == 6 * 3600
    assert 7190 <= rows["age"]["expires"] - rows["age"]["fetched"] <= 7210
    # Who refreshes them, and when, is the daemon's to say: none runs.
    assert {(row["due"], row["refreshed_by"]) for row in rows.values()} == {(None, "nobody")}
    assert "unknown: no dnsguardd runs" in room.cli("list", "show", "own").stdout


@pytest.mark.parametrize("page, word", [
    (web.status(404), "status 404"),
    (web.status(500), "status 500"),
    (web.cut_short(NAMES), "transfer closed"),
    (web.text(""), "no names in it"),
    (web.text("<html><body>Please log in</body></html>"), "HTML"),
    (web.redirect("/l"), "redirects"),
    (web.redirect("file:///etc/passwd"), "not supported"),
    (web.redirect("ftp://127.0.0.1/x"), "not supported"),
], ids=["404", "500", "cut short", "empty", "page", "loop", "file", "ftp"])
def test_a_server_gone_bad(room, server, page, word):
    server.pages["/l"] = web.text(NAMES)
    room.cli("list", "add", "l", server.url("/l"))
    before = room.tree()
    server.pages["/l"] = page
    (row,) = room.json("list", "update", status=FAILED)["lists"]
    assert row["outcome"] == "stale" and word in row["error"]
    after = room.tree()
    assert {name for name in after if after[name] != before.get(name)} == {"lists/l/meta.json"}
    server.pages["/new"] = page
    assert word in room.refused("list", "add", "new", server.url("/new"), status=FAILED)


def test_a_server_that_is_not_there(room, server):
    url = server.url("/l")
    server.close()
    assert "onnect" in room.refused("list", "add", "l", url, status=FAILED)
    assert room.tree() == {}
    server.__init__()  # so that the fixture has something to close


def test_redirects_are_followed(room, server):
    server.pages["/old"] = web.redirect("/new")
    server.pages["/new"] = web.text(NAMES)
    room.cli("list", "add", "l", server.url("/old"))
    assert len(room.dump("l")) == 2


def test_a_packed_transfer_and_a_packed_file(room, server):
    import gzip
    server.pages["/transfer"] = web.packed(NAMES.encode())
    server.pages["/file.gz"] = lambda request: request.answer(200, gzip.compress(NAMES.encode()))
    for name, path in (("transfer", "/transfer"), ("file", "/file.gz")):
        room.cli("list", "add", name, server.url(path))
        assert room.dump(name) == ["a.example", "b.example"]


def test_a_slow_server_holds_up_nobody_else(room, server):
    server.pages["/slow"] = web.text(NAMES)
    room.cli("list", "add", "slow", server.url("/slow"))
    held = threading.Event()

    def wait(request):
        held.set()
        server.stopping.wait(PATIENCE)
        request.answer(500)

    server.pages["/slow"] = wait
    waiting = subprocess.Popen(room.argv("list", "update", "slow"), stdout=subprocess.PIPE, text=True)
    assert held.wait(PATIENCE)
    room.cli("list", "add", "quick", room.file("quick", "quick.example"))
    room.file("quick", "quick.example", "quicker.example")
    assert room.json("list", "update", "quick")["lists"][0]["outcome"] == "updated"
    # Nor is the list itself lost: who wants the same one waits a while and is told.
    (row,) = room.json("list", "update", "slow", status=FAILED)["lists"]
    assert row["outcome"] == "busy" and "another dnsguard has been fetching it" in row["error"] and row["stale_since"] is None
    server.stopping.set()
    assert "status 500" in waiting.communicate(timeout=PATIENCE)[0]
    assert len(room.dump("slow")) == 2 and len(room.dump("quick")) == 2


def test_a_list_that_goes_while_it_is_fetched(room, server):
    server.pages["/l"] = web.text(NAMES)
    room.cli("list", "add", "l", server.url("/l"))
    held, go = threading.Event(), threading.Event()

    def wait(request):
        held.set()
        go.wait(PATIENCE)
        request.answer(200, NAMES.encode() + b"c.example\n")

    server.pages["/l"] = wait
    waiting = subprocess.Popen(room.argv("list", "update", "l"), stdout=subprocess.PIPE, text=True)
    assert held.wait(PATIENCE)
    room.cli("list", "rm", "l")
    again = room.file("again", "again.example")
    room.cli("list", "add", "l", again)  # the same name, and nothing else in common
    go.set()
    assert "list l was removed, or is another one now" in waiting.communicate(timeout=PATIENCE)[0]
    assert waiting.returncode == NOT_FOUND
    assert room.dump("l") == ["again.example"]
    assert sorted(p.name for p in (room.state / "lists" / "l").iterdir()) == ["content", "meta.json"]


def holding(server, content):
    """A page that waits until it is told to go on: (asked for, go on)."""
    held, go = threading.Event(), threading.Event()

    def page(request):
        held.set()
        go.wait(PATIENCE)
        request.answer(200, content.encode())

    server.pages["/l"] = page
    return held, go


def test_a_list_that_is_added_twice_at_once(room, server):
    """The second gives up, and takes nothing away from the first."""
    held, go = holding(server, NAMES)
    first = subprocess.Popen(room.argv("list", "add", "l", server.url("/l")), stdout=subprocess.DEVNULL)
    assert held.wait(PATIENCE)
    assert "another dnsguard has been fetching it" in room.refused("list", "add", "l", server.url("/l"), status=FAILED)
    go.set()
    assert first.wait(PATIENCE) == OK
    assert room.dump("l") == ["a.example", "b.example"]


def test_a_list_that_goes_while_it_is_added(room, server):
    """What was fetched has no place any more: that is no success."""
    held, go = holding(server, NAMES)
    first = subprocess.Popen(room.argv("list", "add", "l", server.url("/l")), stderr=subprocess.PIPE, text=True)
    assert held.wait(PATIENCE)
    room.cli("list", "add", "l", room.file("l", "c.example"), "--no-update")
    room.cli("list", "rm", "l")
    go.set()
    assert "list l was removed while it was fetched: add it again" in first.communicate(timeout=PATIENCE)[1]
    assert first.returncode == FAILED and room.lists() == []


def words_of(name):
    """The command lines of the processes of this name, wherever they run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read().strip() == name:
                found.append((open(f"/proc/{pid}/cmdline").read(), open(f"/proc/{pid}/limits").read()))
        except OSError:
            continue
    return found


def test_no_list_of_processes_shows_a_token(room, server):
    """Nor does anything else that is said: what failed, and what is wrong on which line."""
    seen = []

    def look(request):
        seen.extend(words_of("dnsguard-fetch"))
        request.answer(200, NAMES.encode() + b"not a name!\n")

    server.pages["/l?key=SECRET"] = look
    done = room.cli("list", "add", "l", server.url("/l?key=SECRET"))
    assert seen and not any("SECRET" in words for words, _ in seen)
    assert "/l?key=***:3" in done.stdout.replace(" ", "") or "/l?key=***" in done.stdout
    server.pages["/l?key=SECRET"] = web.status(403)
    said = room.cli("list", "update", status=FAILED)
    assert "SECRET" not in done.stdout + done.stderr + said.stdout + said.stderr
    assert "SECRET" not in (room.state / "lists" / "l" / "meta.json").read_text()


def test_its_memory_is_bounded(room, server):
    """By itself, lower than what the pipeline would allow."""
    seen = []

    def look(request):
        seen.extend(limits for words, limits in words_of("dnsguard-fetch") if server.url("/l") in words)
        request.answer(200, NAMES.encode())

    server.pages["/l"] = look
    fetch(room, server.url("/l"))
    (data,) = [line.split()[3] for limits in seen for line in limits.splitlines() if line.startswith("Max data size")]
    assert int(data) == 128 << 20


# ---- where a server may lead us -------------------------------------------------------------------

PUBLIC, OURS = "203.0.113.1", ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "[::1]", "[fd00::1]", "[::ffff:127.0.0.1]",
                              "inside.example")


@pytest.fixture
def world(room):
    """A namespace in which one address is out in the world and the others are a site's own; a server answers on all."""
    name = f"dgl-world-{room.tag}"
    netns = Netns(name)
    hosts = Path("/etc/netns") / name
    hosts.mkdir(parents=True)
    (hosts / "hosts").write_text(f"{PUBLIC} lists.example\n10.1.2.3 inside.example\n{PUBLIC} elsewhere.example\n")
    for address in (PUBLIC, "10.1.2.3", "169.254.169.254", "192.168.0.1", "fd00::1"):
        netns.ip("addr", "add", address, "dev", "lo")
    made = web.Server(netns=netns)
    made.netns, made.port = name, made.server_address[1]
    yield made
    made.close()
    netns.delete()
    shutil.rmtree(hosts)


def add_inside(room, world, url):
    """`ip netns exec` also puts the namespace's own hosts file in its place."""
    return subprocess.run(["ip", "netns", "exec", world.netns, *room.argv("list", "add", "l", url)], text=True,
                          capture_output=True, timeout=PATIENCE)


@pytest.mark.parametrize("to", OURS)
def test_a_stranger_does_not_lead_us_into_our_own_site(room, world, to):
    world.pages["/l"] = web.redirect(f"http://{to}:{world.port}/own")
    world.pages["/own"] = web.text(NAMES)
    done = add_inside(room, world, f"http://lists.example:{world.port}/l")
    assert done.returncode == FAILED and "an address of our own site" in done.stderr
    assert [path for path, _ in world.seen] == ["/l"] and room.tree() == {}


def test_a_stranger_leads_us_to_another_one(room, world):
    world.pages["/l"] = web.redirect(f"http://elsewhere.example:{world.port}/far")
    world.pages["/far"] = web.text(NAMES)
    done = add_inside(room, world, f"http://lists.example:{world.port}/l")
    assert done.returncode == OK and len(room.dump("l")) == 2


def test_a_server_of_our_own_site_may(room, world):
    world.pages["/l"] = web.redirect(f"http://192.168.0.1:{world.port}/own")
    world.pages["/own"] = web.text(NAMES)
    done = add_inside(room, world, f"http://inside.example:{world.port}/l")
    assert done.returncode == OK and len(room.dump("l")) == 2


# ---- the downloader by itself ---------------------------------------------------------------------


def test_more_than_allowed(room, server):
    server.pages["/l"] = web.endless
    said, _ = fetch(room, "--max-bytes", 100000, server.url("/l"), status=FAILED)
    assert "larger than 100000 bytes" in said
    server.pages["/bomb"] = web.packed(bytes(50 << 20))  # 50 MiB in 50 KiB
    said, written = fetch(room, "--max-bytes", 1 << 20, server.url("/bomb"), status=FAILED)
    assert "larger than" in said and len(written) <= 1 << 20


def test_slower_than_allowed(room, server):
    server.pages["/l"] = web.drip
    said, _ = fetch(room, "--max-time", 1, server.url("/l"), status=FAILED)
    assert "timed out" in said


def test_https_with_a_certificate_that_nobody_vouches_for(room):
    pair = web.certificate(room.dir)
    secure = web.Server(pair)
    secure.pages["/l"] = web.text(NAMES)
    try:
        said, _ = fetch(room, secure.url("/l"), status=FAILED)
        assert "certificate" in said
        os.chmod(pair[0], 0o644)
        os.chmod(room.dir, 0o755)
        report, written = fetch(room, "--ca-file", pair[0], secure.url("/l"))
        assert written.decode() == NAMES and report["event"] == "changed"
    finally:
        secure.close()


def test_https_does_not_lead_to_http(room, server):
    pair = web.certificate(room.dir)
    os.chmod(room.dir, 0o755)
    secure = web.Server(pair)
    secure.pages["/l"] = web.redirect(server.url("/l"))
    server.pages["/l"] = web.text(NAMES)
    try:
        said, written = fetch(room, "--ca-file", pair[0], secure.url("/l"), status=FAILED)
        assert "http" in said and written == b"" and server.seen == []
    finally:
        secure.close()


def test_the_systems_certificates_are_trusted(room):
    """The whole way through the pipeline, with our certificate in the place of the system's."""
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    pair = web.certificate(room.dir)
    secure = web.Server(pair)
    secure.pages["/l"] = web.text(NAMES)
    try:
        room.refused("list", "add", "l", secure.url("/l"), status=FAILED)
        done = subprocess.run(["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(pair[0]), bundle,
                               *room.argv("list", "add", "l", secure.url("/l"))], text=True, capture_output=True)
        assert done.returncode == OK, done
        assert len(room.dump("l")) == 2
    finally:
        secure.close()


def test_it_has_no_rights_while_it_talks(room, server):
    if os.geteuid():
        pytest.skip("only root has rights to give up")
    seen = {}

    def look(request):
        """The one process of ours whose socket has the client's port."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if open(f"/proc/{pid}/comm").read().strip() == "dnsguard-fetch" and seen.get("url", "?") in open(
                        f"/proc/{pid}/cmdline").read():
                    seen.update(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
                    seen["memory"] = os.stat(f"/proc/{pid}/mem").st_uid
            except OSError:
                continue
        request.answer(200, NAMES.encode())

    server.pages["/look"] = look
    seen["url"] = server.url("/look")
    fetch(room, server.url("/look"))
    assert seen["Uid"].split() == ["65534"] * 4 and seen["Gid"].split() == ["65534"] * 4
    assert seen["Groups"].split() == [] and seen["NoNewPrivs"].split() == ["1"]
    assert {seen[key].strip() for key in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert seen["memory"] == 0 and seen["Seccomp"].strip() == "2"  # nor has anybody else, nobody least of all, to it


def test_the_environment_of_the_operator_is_not_taken_over(room, server):
    """A proxy that stands in somebody's shell would make a refresh depend on who starts it."""
    server.pages["/l"] = web.text(NAMES)
    env = dict(os.environ, http_proxy="http://127.0.0.1:1/", https_proxy="http://127.0.0.1:1/")
    done = subprocess.run(room.argv("list", "add", "l", server.url("/l")), env=env, text=True, capture_output=True)
    assert done.returncode == OK, done
