"""The package's life on a machine that never saw us: installed, upgraded, removed, purged; one test after the other."""

import os
import re

import pytest

from machine import BUILD, CONFIG, ROOT, field, later_version, run, wait_for


def test_lintian_finds_no_error(package):
    done = run("lintian", "--allow-root", "--fail-on", "error", package, check=False)
    assert done.returncode == 0, done.stdout


def test_build_depends_are_those_of_a_build_by_hand():
    by_hand = set(re.findall(r"^build\s+(\S+-dev|bpftool|clang\S*|pkg-config)\s", (ROOT / "deploy/deps").read_text(), re.M))
    by_hand -= {"libc6-dev", "linux-libc-dev"}  # of build-essential
    control = (ROOT / "deploy/debian/control").read_text()
    wanted = re.search(r"Build-Depends:\n((?: .*\n)+)", control)[1]
    assert by_hand == set(re.findall(r"^ ([a-z0-9.+-]+)", wanted, re.M)) - {"debhelper-compat"}


def test_versions_are_later_than_their_past(package):
    """A commit sorts before the release it leads to, and after earlier ones."""
    version = field(package, "Version")
    release = version.split("~")[0]
    assert run("dpkg", "--compare-versions", version, "le", release, check=False).returncode == 0
    assert run("dpkg", "--compare-versions", version, "gt", "0", check=False).returncode == 0


def test_no_file_outside_the_places_of_a_package(package):
    listed = [line.split()[5] for line in run("dpkg-deb", "-c", package).stdout.splitlines()]
    allowed = r"\./($|etc/($|dnsguard/)|lib/($|systemd/)|usr/($|sbin/($|dnsguardd?$)|libexec/($|dnsguard/)|share/))"
    assert [name for name in listed if not re.match(allowed, name)] == []
    assert "./usr/sbin/dnsguardd" in listed and "./lib/systemd/system/dnsguardd.service" in listed


def test_installed_it_runs_and_guards_nothing(machine, package):
    machine.install(package)
    assert machine.show("ActiveState") == "active"
    wait_for(lambda: "no device is named" in machine.journal())
    assert machine.link() is None
    assert machine.run("systemctl", "is-enabled", "dnsguardd").stdout.strip() == "enabled"
    assert os.stat(machine.path(CONFIG)).st_mode & 0o7777 == 0o640
    assert machine.run("dpkg", "--verify", "dnsguard").stdout == ""


def test_its_programs_find_all_they_need(machine):
    """Each starts on a system that holds nothing but what the package depends on."""
    for program in ("/usr/sbin/dnsguard", "/usr/sbin/dnsguardd", "/usr/libexec/dnsguard/dnsguard-compile",
                    "/usr/libexec/dnsguard/dnsguard-fetch", "/usr/libexec/dnsguard/dnsguard-transfer",
                    "/usr/libexec/dnsguard/dnsguard-notify"):
        assert machine.run(program, "--help").returncode == 0
    machine.path("/root/list").write_text("0.0.0.0 ads.example\n")
    assert "1" in machine.run("dnsguard", "list", "check", "/root/list").stdout


def test_a_device_named_in_the_shipped_file_is_observed(machine):
    """The packaged default: every decision is counted, every packet passes."""
    shipped = machine.path(CONFIG).read_text()
    machine.configure(shipped.replace("interfaces: []", "interfaces: [guarded]"))
    machine.run("systemctl", "restart", "dnsguardd")
    assert machine.link() and machine.filters()
    assert [device["enforcing"] for device in machine.status()["interfaces"]] == [False]


def test_an_upgrade_keeps_filtering_and_what_the_operator_wrote(machine, package, tmp_path):
    """The shipped file changes as well: the operator's stays, the new one lies beside it."""
    def change(tree):
        with open(tree / CONFIG.lstrip("/"), "a", encoding="utf-8") as shipped:
            shipped.write("# news\n")

    written, link, frames = machine.path(CONFIG).read_text(), machine.link(), machine.frames()
    later, pid = later_version(package, tmp_path, change), machine.show("MainPID")
    machine.path("/etc/dpkg/dpkg.cfg.d/tests").write_text("force-confold\nforce-unsafe-io\n")
    machine.install(later)
    assert machine.show("ActiveState") == "active" and machine.show("MainPID") != pid
    assert machine.link() == link and machine.frames() >= frames and machine.filters()
    assert machine.path(CONFIG).read_text() == written
    assert machine.path(CONFIG + ".dpkg-dist").read_text().endswith("# news\n")


def test_removed_it_filters_on_and_says_how_to_end_that(machine):
    link = machine.link()
    said = machine.run("dpkg", "--remove", "dnsguard")
    assert "still filtering on: guarded" in said.stderr and "purge" in said.stderr
    assert machine.link() == link
    assert machine.path(CONFIG).exists()
    assert not machine.path("/usr/sbin/dnsguard").exists()
    assert machine.path("/var/lib/dnsguard/detach").exists()


def test_installed_again_it_takes_over_what_filters(machine, package):
    link = machine.link()
    machine.install(package)
    assert machine.show("ActiveState") == "active"
    assert machine.link() == link and machine.filters()
    assert not machine.path("/var/lib/dnsguard/detach").exists()


def leftovers(machine):
    found = machine.run("find", "/etc", "/usr", "/var/lib", "/lib/systemd", "/run", "/sys/fs/bpf", "-name", "*dnsguard*",
                        "-not", "-path", "/var/lib/dpkg/*").stdout.split()
    return [path for path in found if not path.startswith("/run/systemd/")]


def test_a_purge_detaches_and_leaves_nothing(machine):
    machine.path("/etc/dnsguard/cookie-secret").write_text("the operator's\n")
    assert leftovers(machine), "the search is blind"
    said = machine.run("dpkg", "--purge", "dnsguard").stdout
    assert "guarded: no longer guarded" in said, "the command line's own detach, which knows more than the pins"
    assert machine.link() is None
    assert leftovers(machine) == ["/etc/dnsguard"]
    assert [path.name for path in machine.path("/etc/dnsguard").iterdir()] == ["cookie-secret"]
    assert machine.run("systemctl", "is-system-running", check=False).stdout.strip() == "running"


def test_a_purge_long_after_the_removal_detaches_as_well(machine, package):
    """Here without what the copy needs to run, as after an autoremove: the pins go by hand."""
    machine.install(package)
    machine.configure("interfaces: [guarded]\n")
    machine.run("systemctl", "restart", "dnsguardd")
    machine.run("dpkg", "--remove", "dnsguard")
    assert machine.link()
    machine.path("/var/lib/dnsguard/detach").write_text("not a program that runs")
    machine.run("dpkg", "--purge", "dnsguard")
    wait_for(lambda: machine.link() is None)
    assert machine.run("test", "-e", "/sys/fs/bpf/dnsguard", check=False).returncode == 1


def test_installed_below_another_directory(tmp_path):
    """make install touches nothing but DESTDIR; the unit's programs are where the unit says."""
    run("make", "-C", ROOT, "install", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"DESTDIR={tmp_path}")
    here = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.startswith(("usr/", "etc/dnsguard/")) for path in here)
    unit = (tmp_path / "usr/lib/systemd/system/dnsguardd.service").read_text()
    named = {path for path in re.findall(r"^Exec\w+=/(\S+)", unit, re.M) if "dnsguard" in path}
    assert named and named | {"etc/dnsguard/dnsguard.yaml", "usr/libexec/dnsguard/dnsguard-compile"} <= here
    (tmp_path / "usr/share/dnsguard/somebody's").touch()
    (tmp_path / "usr/sbin/other").touch()
    run("make", "-C", ROOT, "uninstall", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"DESTDIR={tmp_path}")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"etc/dnsguard/dnsguard.yaml", "usr/share/dnsguard/somebody's", "usr/sbin/other"}
    assert not (tmp_path / "usr/libexec/dnsguard").exists() and (tmp_path / "usr/sbin").exists()


def test_an_archive_builds_without_git(tmp_path):
    """Unpacked inside a repository of somebody else's, which is not asked for the version: the archive knows its commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("these sources are no repository: nothing to make an archive of")
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").stdout.strip()
    run("git", "init", "-q", tmp_path)
    run("git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@example", "commit", "-q", "--allow-empty", "-m", "x")
    tree = tmp_path / "dnsguard"
    tree.mkdir()
    run("sh", "-c", f'git -C "{ROOT}" archive HEAD | tar -x -C "{tree}"')
    run("make", "-C", tree, "build/obj/userspace/lib/error.o")
    version = (tree / "build" / ".version").read_text().strip()
    assert re.fullmatch(rf"[0-9.]+\+g{commit}", version) or run("git", "-C", ROOT, "describe", "--tags", check=False).returncode == 0
    for target in ("all", "install", "uninstall"):
        run("make", "-C", tree, "-n", target, f"DESTDIR={tmp_path / 'at'}")
