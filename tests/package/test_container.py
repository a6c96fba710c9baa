"""The Dockerfile, read instruction by instruction: what it copies is there, what it installs is the package, what it runs
is in it. There is no container engine here: the package is installed in the clean system instead, and its entry run there."""

import json
import re
import shlex

import pytest

from machine import CONFIG, ROOT, field, run

PATH = ROOT / "deploy/container/Dockerfile"
KNOWN = {"FROM", "RUN", "COPY", "WORKDIR", "ENTRYPOINT", "CMD", "STOPSIGNAL", "EXPOSE", "LABEL", "ENV", "USER"}


def instructions(text):
    """[(word, rest)]: comments gone, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [tuple(line.strip().split(maxsplit=1)) for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def lint(text):
    stages, said = [], []
    for word, rest in instructions(text):
        if word not in KNOWN:
            said.append(f"unknown instruction {word}")
        if word == "FROM":
            if not re.fullmatch(r"debian:bookworm-slim( AS \w+)?", rest):
                said.append(f"not the release that the package is for: {rest}")
            stages.append(rest.split()[-1])
        elif not stages:
            said.append(f"{word} before FROM")
        if word == "COPY" and (stage := re.match(r"--from=(\w+)", rest)) and stage[1] not in stages[:-1]:
            said.append(f"no earlier stage {stage[1]}")
        if word in ("ENTRYPOINT", "CMD") and not rest.startswith("["):
            said.append(f"{word} through a shell: signals would not arrive")
        if word == "RUN" and "apt-get install" in rest:
            for wanted in ("apt-get update &&", "--no-install-recommends", "rm -rf /var/lib/apt/lists/*", "-y"):
                if wanted not in rest:
                    said.append(f"apt-get install without {wanted}")
    return said


def last_stage():
    found = instructions(PATH.read_text())
    start = max(i for i, (word, _) in enumerate(found) if word == "FROM")
    return found[start + 1:]


def test_the_lint_is_content():
    assert lint(PATH.read_text()) == []


@pytest.mark.parametrize("old, new, said", [
    ("bookworm-slim AS", "sid AS", "not the release"),
    ("--from=build", "--from=builder", "no earlier stage builder"),
    ("ENTRYPOINT [\"/usr/sbin/dnsguardd\"]", "ENTRYPOINT /usr/sbin/dnsguardd", "through a shell"),
    ("RUN make deb", "RUNN make deb", "unknown instruction RUNN"),
    ("-y --no-install-recommends git", "-y git", "without --no-install-recommends"),
])
def test_the_lint_is_worth_something(old, new, said):
    text = PATH.read_text()
    assert old in text and any(said in line for line in lint(text.replace(old, new)))


def test_what_is_copied_is_what_make_deb_makes(package):
    source = next(rest.split()[1] for word, rest in last_stage() if word == "COPY")
    assert source.startswith("/src/build/deb/")
    assert list(package.parent.glob(source.rsplit("/", 1)[1])) == [package]


def test_what_is_run_is_in_the_package(package):
    listed = {line.split()[5].lstrip(".") for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    words = {word: json.loads(rest) for word, rest in last_stage() if word in ("ENTRYPOINT", "CMD")}
    assert words["ENTRYPOINT"][0] in listed
    assert words["CMD"][1] == CONFIG and CONFIG in listed


def test_what_it_installs_beside_is_what_the_package_recommends(package):
    """With --no-install-recommends they have to be named."""
    line = next(rest for word, rest in last_stage() if word == "RUN")
    named = {word for word in shlex.split(line.split("install", 1)[1].split("&&")[0]) if re.fullmatch(r"[a-z0-9-]+", word)}
    named -= {word for word in named if word.startswith("-")}
    assert named == set(re.split(r", *", field(package, "Recommends")))


def test_its_rights_are_those_of_the_unit():
    unit = re.search(r"^CapabilityBoundingSet=(.*)$", (ROOT / "deploy/dnsguardd.service").read_text(), re.M)[1].split()
    assert {f"CAP_{name}" for name in re.findall(r"--cap-add (\w+)", PATH.read_text())} == set(unit)


def test_the_entry_runs_where_the_package_was_installed(machine, package):
    machine.install(package)
    words = {word: json.loads(rest) for word, rest in last_stage() if word in ("ENTRYPOINT", "CMD")}
    assert "dnsguardd" in machine.run(*words["ENTRYPOINT"], "--version").stdout
    assert "is good" in machine.run(*words["ENTRYPOINT"], "--check-config", *words["CMD"]).stdout
