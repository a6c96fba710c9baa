"""A clean Debian with systemd as its first process, in namespaces of this host, and the package to put into it.

The system is made once (debootstrap) and kept below the build directory; each machine runs on an overlay of it. It
holds what the package's Depends name and nothing else of ours, so dpkg itself says whether they are complete.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("DG_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "tests" / "daemon"))
from guarded import PATIENCE, QUERY, Netns, run, wait_for  # noqa: E402

HERE = Path(__file__).resolve().parent
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
CONFIG = "/etc/dnsguard/dnsguard.yaml"
BESIDES = ("systemd", "iproute2")  # what the tests themselves run in there
RESOLVERS = ("bind9", "unbound")  # in a layer of their own: what they bring along must not hide a missing Depends


class Unavailable(Exception):
    """Why there can be no such machine here."""


# ---- the package ----------------------------------------------------------------------------------


def build_package():
    """The .deb of this tree; the tree's own Makefile makes it."""
    done = run("make", "-C", ROOT, "deb", f"BUILD={os.path.relpath(BUILD, ROOT)}", check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(path for path in (BUILD / "deb").glob("dnsguard_*.deb"))


def field(package, name):
    return run("dpkg-deb", "-f", package, name).stdout.strip()


def later_version(package, into, change=lambda tree: None):
    """The same package under a version that is an upgrade of it, with what `change` does to its files."""
    tree = into / "later"
    run("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+later", control.read_text()))
    change(tree)
    sums = [run("md5sum", path.relative_to(tree), cwd=tree).stdout for path in sorted(tree.rglob("*"))
            if path.is_file() and "DEBIAN" not in path.parts and "etc" not in path.parts]
    (tree / "DEBIAN" / "md5sums").write_text("".join(sums))
    made = into / "later.deb"
    run("dpkg-deb", "-b", "--root-owner-group", tree, made)
    return made


# ---- the clean system -----------------------------------------------------------------------------


def mirror():
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI)", check=False).stdout.split()
    found = next((uri for uri in listed if uri.endswith("/debian/")), None)
    if not found:
        raise Unavailable("apt knows no Debian mirror")
    return found


@contextlib.contextmanager
def memory():
    """A directory in memory: dpkg waits for the disk after each file, which took a third of the time."""
    with tempfile.TemporaryDirectory(prefix="dg-package-") as place:
        run("mount", "-t", "tmpfs", "-o", "size=2g", "made", place)
        try:
            yield Path(place)
        finally:
            run("umount", "-l", place)


def clean_system(package):
    """A minimal Debian 12 with what the package depends on. Minutes the first time, nothing afterwards."""
    names = sorted({re.split(r"[ (|]", word.strip())[0] for word in field(package, "Depends").split(",")} | set(BESIDES))
    tree = BUILD / "package" / hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
    if (tree / "complete").exists():
        return tree
    shutil.rmtree(BUILD / "package", ignore_errors=True)
    tree.parent.mkdir(parents=True)
    with memory() as scratch:
        done = run("debootstrap", "--variant=minbase", f"--include={','.join(names)}", "bookworm", scratch / "made", mirror(),
                   check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or ["it says nothing"]
            raise Unavailable(f"debootstrap: {said[-1]}")
        run("cp", "-a", scratch / "made", tree)
    (tree / "complete").touch()
    return tree


def overlay(place, scratch, lower, upper):
    """Mounts `upper` over the layers `lower` (topmost first); what is written goes there."""
    work = scratch / "work"
    work.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
    done = run("mount", "-t", "overlay", "-o", options, "overlay", place, check=False)
    if done.returncode:
        raise Unavailable(f"no overlay here: {done.stderr.strip()}")


def with_resolvers(system):
    """The layers of the same system with resolvers installed, which do not start by themselves. Made once, too."""
    layer = system.with_name(system.name + "-resolvers")
    if not (layer / "complete").exists():
        scratch = system.with_name("making")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(layer, ignore_errors=True)
        for path in (scratch / "root", layer):
            path.mkdir(parents=True)
        overlay(scratch / "root", scratch, [system], layer)
        install = ("mount -t proc proc /proc; printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; "
                   "chmod 755 /usr/sbin/policy-rc.d; "
                   f"apt-get -qq -o Dpkg::Options::=--force-unsafe-io install -y --no-install-recommends {' '.join(RESOLVERS)} && "
                   "systemctl disable named unbound; status=$?; umount /proc; exit $status")
        done = run("chroot", scratch / "root", "sh", "-c", install, check=False,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
        run("umount", scratch / "root")
        shutil.rmtree(scratch)
        if done.returncode:
            raise Unavailable(f"apt-get in the clean system: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        (layer / "complete").touch()
    return [layer, system]


# ---- the machine ----------------------------------------------------------------------------------


def unified_cgroups(scratch):
    """The mount point of cgroup v2: systemd's own on most hosts, one of ours where the host uses v1."""
    place = Path("/sys/fs/cgroup")
    if (place / "cgroup.controllers").exists():
        return place
    place = scratch / "cgroup"
    place.mkdir()
    if run("mount", "-t", "cgroup2", "none", place, check=False).returncode:
        raise Unavailable("cgroup v2 cannot be mounted here")
    return place


def is_gone(cgroup):
    """Removes a cgroup, which takes until the kernel has buried the last process that was in it."""
    try:
        cgroup.rmdir()
    except OSError:
        return False
    return True


class Machine:
    """systemd in namespaces; the device `guarded` in there, its peer in a network namespace of the client."""

    def __init__(self, *layers):
        self.tag = uuid.uuid4().hex[:6]
        self.scratch = Path(tempfile.mkdtemp(prefix="dg-package-"))
        self.root = self.scratch / "root"
        self.cgroup = self.client = self.process = None
        try:
            self.mount_root(layers)
            self.boot()
            self.wire()
        except BaseException:
            self.close()
            raise

    def mount_root(self, layers):
        over = self.scratch / "over"
        for path in (self.root, over):
            path.mkdir()
        run("mount", "-t", "tmpfs", "over", over)
        (over / "upper").mkdir()
        overlay(self.root, over, layers, over / "upper")
        (self.root / "etc/machine-id").write_text("")
        # What Debian does by the clock, at midnight above all, is not what is tested here.
        (self.root / "etc/systemd/system/timers.target").symlink_to("/dev/null")
        # dpkg's own caution about power cuts costs seconds here and protects nothing.
        (self.root / "etc/dpkg/dpkg.cfg.d/tests").write_text("force-unsafe-io\n")

    def boot(self):
        self.cgroup = unified_cgroups(self.scratch) / f"dnsguard-package-{self.tag}"
        try:
            self.cgroup.mkdir()
        except OSError as error:
            raise Unavailable(f"no cgroup may be made here: {error.strerror}") from error
        console = open(self.scratch / "console", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", self.cgroup, "unshare", "--mount", "--pid",
             "--uts", "--ipc", "--cgroup", "--net", "--fork", "--kill-child=KILL", HERE / "boot.sh", self.root],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        wait_for(lambda: self.process.poll() is not None or self.state() in ("running", "degraded"))
        if self.process.poll() is not None:
            raise Unavailable("systemd cannot be the first process here: " + self.console()[-300:])
        assert self.state() == "running", self.run("systemctl", "--failed", check=False).stdout

    def console(self):
        return (self.scratch / "console").read_text(errors="replace")

    def first_pid(self):
        """systemd, as this host numbers it; None while it is not there yet."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[0] if children else None

    def state(self):
        pid = self.first_pid()
        if not pid or not Path(f"/proc/{pid}/root/run/systemd/private").exists():
            return ""
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def wire(self):
        self.client = Netns(f"dgp-{self.tag}")
        run("ip", "link", "add", "peer", "netns", self.client.name, "type", "veth", "peer", "name", "guarded", "netns",
            self.first_pid())
        self.client.ip("addr", "add", f"{CLIENT}/24", "dev", "peer")
        self.client.ip("link", "set", "peer", "up")
        self.run("ip", "addr", "add", f"{SERVER}/24", "dev", "guarded")
        self.run("ip", "link", "set", "guarded", "up")

    def close(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE)
        if self.client:
            self.client.delete()
        if self.cgroup:
            for path in sorted((p for p in self.cgroup.rglob("*") if p.is_dir()), reverse=True):
                wait_for(lambda path=path: is_gone(path))
            wait_for(lambda: is_gone(self.cgroup))
        for name in ("root", "over", "cgroup"):
            if os.path.ismount(self.scratch / name):
                run("umount", "-l", self.scratch / name)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # ---- what tests ask of it

    def run(self, *argv, check=True):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        return run("nsenter", "--target", self.first_pid(), "--all", *argv, check=check, env=env)

    def install(self, package):
        """dpkg, which refuses a package whose Depends are not all there."""
        shutil.copy(package, self.root / "root" / "given.deb")
        return self.run("dpkg", "--install", "/root/given.deb")

    def path(self, name):
        return self.root / name.lstrip("/")

    def show(self, prop, unit="dnsguardd"):
        return self.run("systemctl", "show", "--property", prop, "--value", unit).stdout.strip()

    def configure(self, text):
        self.path(CONFIG).write_text(text)

    def journal(self):
        return self.run("journalctl", "--unit", "dnsguardd", "--output", "cat", "--no-pager").stdout

    def status(self):
        return json.loads(self.run("dnsguard", "status", "--json").stdout)

    def frames(self):
        """Frames the program in the kernel has given a verdict, whoever is up or down."""
        return sum(verdict["frames"] for verdict in self.status()["verdicts"].values())

    def link(self):
        """Id of the program on the device, as the kernel says it; None without one."""
        shown = json.loads(self.run("ip", "-j", "-d", "link", "show", "guarded").stdout)[0]
        return shown.get("xdp", {}).get("prog", {}).get("id")

    def filters(self):
        """Does the kernel side count what comes now?"""
        import socket
        before = self.frames()
        sock = self.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(3):
            sock.sendto(QUERY, (SERVER, 53))
        sock.close()
        deadline = time.monotonic() + PATIENCE
        while self.frames() < before + 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.frames() >= before + 3
