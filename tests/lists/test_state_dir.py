"""Who can write to the lists decides what clients can reach: directories that others could have prepared are refused."""

import os
import shutil

import pytest

from house import UNSAFE

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
