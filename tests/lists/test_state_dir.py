"""Who can write to the lists decides what clients can reach: directories that others could have prepared are refused."""

import os
import shutil
import subprocess

import pytest

from house import FAILED, PATIENCE, UNSAFE

NOBODY = 65534


@pytest.fixture
def loaded(room):
    if os.geteuid():
        pytest.skip("only root can give files away")
    room.cli("list", "add", "l", room.file("a", "a.example"))
    room.file("a", "a.example", "b.example")
    room.target = room.dir / "target"
    room.target.mkdir()
    (room.target / "content").write_text("precious\n")
    return room


def lead_away(path, target):
    shutil.rmtree(path)
    path.symlink_to(target)


def refused(room):
    said = room.refused("list", "update", status=UNSAFE)
    assert room.target.is_dir() and [p.name for p in room.target.iterdir()] == ["content"]
    assert (room.target / "content").read_text() == "precious\n"
    return said


@pytest.mark.parametrize("where", ["", "lists", "lists/l"])
def test_a_symbolic_link_instead_of_a_directory(loaded, where):
    moved = loaded.dir / "moved"
    shutil.copytree(loaded.state, moved)
    lead_away(loaded.state / where, loaded.target)
    assert "symbolic link" in refused(loaded)


@pytest.mark.parametrize("where", ["", "lists", "lists/l"])
@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_directory_that_others_can_write_to(loaded, where, mode):
    os.chmod(loaded.state / where, mode)
    assert f"mode {mode:03o}" in refused(loaded)


@pytest.mark.parametrize("where", ["", "lists", "lists/l"])
def test_a_directory_of_somebody_else(loaded, where):
    os.chown(loaded.state / where, NOBODY, NOBODY)
    assert f"belongs to user {NOBODY}" in refused(loaded)


@pytest.mark.parametrize("file", ["lists/registry.json", "lists/l/meta.json", "lists/l/content"])
def test_a_file_that_leads_elsewhere(loaded, file):
    path = loaded.state / file
    elsewhere = loaded.dir / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    loaded.cli("list", "dump", "l", status=1)
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("file", ["candidate", "candidate.json", "candidate.json.new", "meta.json.new", "candidate.d"])
def test_what_waits_where_a_run_will_write(loaded, file):
    """A link that somebody left there is replaced, never followed."""
    victim = loaded.target / "content"
    (loaded.state / "lists" / "l" / file).symlink_to(victim)
    loaded.cli("list", "update")
    assert victim.read_text() == "precious\n"
    assert loaded.dump("l") == ["a.example", "b.example"]


def test_the_compilers_directory_is_made_anew(loaded):
    (loaded.state / "lists" / ".work").symlink_to(loaded.target)
    loaded.cli("list", "update")
    assert [p.name for p in loaded.target.iterdir()] == ["content"]
    assert not os.path.lexists(loaded.state / "lists" / ".work")


def test_a_link_does_not_show_what_not_everybody_may_read(room):
    """Bad lines are told: whoever may write where the source lies must not learn root's files from them."""
    secret = room.file("shadow", "root:secret:1", "daemon:secret:1")
    secret.chmod(0o600)
    feeds, away, link = room.dir / "feeds", room.dir / "away", room.dir / "link"
    feeds.mkdir()
    (feeds / "a").symlink_to(secret)
    away.symlink_to(feeds)
    link.symlink_to(secret)
    for source in (feeds, away, link):
        said = room.refused("list", "add", "l", source, status=UNSAFE)
        assert "behind a symbolic link" in said and "secret" not in said
    (feeds / "a").unlink()
    (feeds / "a").write_text("root:secret:1\n")
    (feeds / "a").chmod(0o600)
    assert "secret" not in room.refused("list", "add", "l", away, status=UNSAFE)


def test_a_link_to_what_everybody_may_read(room):
    target = room.file("list", "a.example")
    link = room.dir / "link"
    link.symlink_to(target)
    room.cli("list", "add", "l", link)
    assert room.dump("l") == ["a.example"]


def test_a_state_directory_that_cannot_be_written_is_no_matter_of_rights(room):
    """To whoever is root already nobody says to become it."""
    room.cli("list", "add", "l", room.file("list", "a.example"))
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, str(room.state), *room.argv("list", "update")], text=True,
                          capture_output=True, timeout=PATIENCE)
    assert done.returncode == FAILED and "Read-only file system" in done.stderr and "sudo" not in done.stderr
