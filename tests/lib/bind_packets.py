# SPDX-License-Identifier: GPL-2.0-or-later
"""BIND's fuzz packets (MPL-2.0), unpacked from Debian's source package: used here, not carried in this tree.

The package comes through apt from the mirror this machine already uses, in an apt root of its own, so nothing on the
system changes; it is kept in the build directory. Without a mirror there are none, and the reason is told.
"""
import os
import subprocess
import tarfile

MEMBERS = ("fuzz/dns_message_parse.in/", "fuzz/dns_message_checksig.in/")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _mirror():
    """(address, suite) of Debian itself among apt's sources."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"], capture_output=True, text=True,
                          check=True, timeout=60).stdout
    for line in text.splitlines():
        address, _, suite = line.partition(" ")
        if address.rstrip("/").endswith("/debian") and suite and "-" not in suite:
            return address, suite
    raise OSError("apt knows no Debian mirror")


def _apt(root, *words):
    options = ["Dir=" + root, "Dir::State::status=%s/status" % root, "APT::Sandbox::User=root", "Acquire::Retries=2"]
    argv = ["apt-get", "-qq", *["-o" + option for option in options], *words]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["apt-get failed"])[-1])


def _download(root):
    for directory in ("etc/apt/preferences.d", "etc/apt/apt.conf.d", "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial",
                      "var/cache/apt/archives/partial"):
        os.makedirs(os.path.join(root, directory), exist_ok=True)
    with open(os.path.join(root, "status"), "w", encoding="ascii"):
        pass
    with open(os.path.join(root, "etc/apt/sources.list"), "w", encoding="ascii") as file:
        file.write("deb-src [signed-by=%s] %s %s main\n" % (KEYRING, *_mirror()))
    _apt(root, "update")
    _apt(root, "source", "--tar-only", "--download-only", "bind9")


def _unpack(root, directory):
    archive = next(name for name in os.listdir(root) if ".orig.tar" in name)
    with tarfile.open(os.path.join(root, archive)) as tar:
        found = [member for member in tar if member.isfile() and any(part in member.name for part in MEMBERS)]
        for number, member in enumerate(found):
            with open(os.path.join(directory, "%03d-%s" % (number, os.path.basename(member.name))), "wb") as file:
                file.write(tar.extractfile(member).read())


def packets(build):
    """(directory, "") or (None, why not)."""
    directory, root = os.path.join(build, "packets", "bind"), os.path.join(build, "packets", "apt")
    if os.path.isdir(directory):
        return directory, ""
    try:
        _download(root)
        os.makedirs(directory + ".new", exist_ok=True)
        _unpack(root, directory + ".new")
        os.rename(directory + ".new", directory)
    except (OSError, StopIteration, tarfile.TarError, subprocess.SubprocessError) as error:
        return None, "BIND's packets cannot be had: %s" % error
    return directory, ""
