"""What is printed from the command table: help, manual pages and completions agree, and shells really complete."""

import json
import re

import pytest

from guarded import BUILD, CLI, DAEMON, run

MANUALS = ("dnsguard.8", "dnsguardd.8", "dnsguard.yaml.5")
BASH = BUILD / "completion" / "dnsguard.bash"
ZSH = BUILD / "completion" / "_dnsguard"


def verbs():
    """The commands as --help lists them."""
    listed = run(CLI, "--help").stdout.split("commands:\n")[1].split("\n\n")[0]
    names = re.findall(r"^  ([a-z]+(?: [a-z]+)*?)(?= +[A-Z\[]|  )", listed, re.MULTILINE)
    return [name for name in names if name != "help"]


def options(*verb):
    return re.findall(r"^ +--([a-z-]+)", run(CLI, *verb, "--help").stdout, re.MULTILINE)


def manual(name):
    text = run("mandoc", "-T", "utf8", BUILD / "man" / name).stdout
    return re.sub(r".\x08", "", text)  # bold and underlined


@pytest.mark.parametrize("name", MANUALS)
def test_manuals_are_clean(name):
    done = run("mandoc", "-T", "lint", "-W", "warning", BUILD / "man" / name, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_verb_and_option_is_in_the_manual_and_the_completions():
    text, bash, zsh = manual("dnsguard.8"), BASH.read_text(), ZSH.read_text()
    names = verbs()
    assert {"status", "limit set", "list ls", "config check", "reload", "completion"} <= set(names)
    for name in names:
        assert re.search(rf"^ +{name}( |$)", text, re.MULTILINE), name
        assert f"'{name}')" in bash and f"'{name}')" in zsh, name
        for option in options(*name.split()):
            assert f"--{option}" in text and f"--{option}" in bash and f"--{option}" in zsh, (name, option)


def test_a_first_word_alone_shows_all_that_share_it():
    """However it is asked; also where the word is a command of its own (doctor), and where it shows something (list)."""
    names = verbs()
    groups = {name.split()[0] for name in names if " " in name}
    assert {"list", "lab", "doctor", "report"} <= groups
    for group in groups:
        shown = run(CLI, group, "--help").stdout
        assert shown == run(CLI, "help", group).stdout == run(CLI, group, "-h").stdout
        for name in (name for name in names if name.split()[0] == group):
            assert re.search(rf"^  {name} ", shown, re.MULTILINE), name
            assert {f"--{option}" for option in options(*name.split())} <= set(re.findall(r"^ +(--[a-z-]+)", shown, re.MULTILINE))
    assert "add" not in run(CLI, "list", "ls", "--help").stdout
    refused = run(CLI, "lab", check=False)
    assert refused.returncode == 2 and "half a command: add one of: up, run" in refused.stderr


def test_every_option_of_the_daemon_is_in_its_manual():
    text = manual("dnsguardd.8")
    listed = re.findall(r"^  --([a-z-]+)", run(DAEMON, "--help").stdout, re.MULTILINE)
    assert "check-config" in listed
    assert [option for option in listed if f"--{option}" not in text] == []


def test_every_key_is_in_the_manual():
    text = manual("dnsguard.yaml.5")
    keys = [row["key"] for row in json.loads(run(CLI, "config", "show", "--defaults", "--json").stdout)["keys"]]
    assert len(keys) > 40
    assert [key for key in keys if not re.search(rf"^ +{re.escape(key)}( |$)", text, re.MULTILINE)] == []


def test_the_installed_completion_is_what_the_command_prints():
    assert run(CLI, "completion", "bash").stdout == BASH.read_text()
    assert run(CLI, "completion", "zsh").stdout == ZSH.read_text()
    refused = run(CLI, "completion", "fish", check=False)
    assert refused.returncode == 2 and 'no completion for "fish": use bash or zsh' in refused.stderr


def completed(*words):
    script = f'source "{BASH}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dnsguard; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return run("bash", "--norc", "-c", script, "bash", *words).stdout.split()


@pytest.mark.parametrize("line, some, none", [
    (["dnsguard", ""], ["status", "list", "help", "--bpffs"], ["ls", "--slip"]),
    (["dnsguard", "li"], ["list", "limit"], ["status"]),
    (["dnsguard", "list", ""], ["ls", "add", "rm"], ["status", "show-all"]),
    (["dnsguard", "list", "a"], ["add"], ["ls"]),
    (["dnsguard", "--bpffs", "status", "li"], ["list"], ["status"]),
    (["dnsguard", "help", "so"], ["source"], ["status"]),
    (["dnsguard", "limit", "set", "--s"], ["--slip", "--syn-rate", "--state-dir"], ["--mode"]),
    (["dnsguard", "limit", "set", "--mode", ""], ["off", "observe", "enforce"], ["--slip", "auto"]),
    (["dnsguard", "attach", "--mode", ""], ["auto", "native", "generic"], ["enforce"]),
    (["dnsguard", "attach", ""], ["lo", "--observe"], ["status"]),
    (["dnsguard", "block", "--for", ""], [], ["--reason", "status"]),
    (["dnsguard", "completion", ""], ["bash", "zsh"], []),
    (["dnsguard", "list", "check", "/et"], ["/etc"], []),
], ids=lambda value: "_".join(value[1:]) or "nothing" if value and value[0] == "dnsguard" else None)
def test_bash_completes(line, some, none):
    words = completed(*line)
    assert set(some) <= set(words) and not set(none) & set(words)
    assert len(words) == len(set(words))


def test_zsh_completes():
    """The function with the shell's own ways to offer words replaced by ones that print them."""
    script = f"""
        compdef() {{ :; }}
        _describe() {{ print -l -- ${{(P)${{@[-1]}}}}; }}
        compadd() {{ print -l -- $@; }}
        source {ZSH}
        words=($@) CURRENT=$#
        _dnsguard
    """

    def offered(*words):
        return run("zsh", "-fc", script, "zsh", *words).stdout.splitlines()

    assert any(word.startswith("status:what is guarded") for word in offered("dnsguard", ""))
    assert any(word.startswith("add:") for word in offered("dnsguard", "list", ""))
    assert any(word.startswith("--slip:every N-th") for word in offered("dnsguard", "limit", "set", ""))
    assert {"off", "observe", "enforce"} <= set(offered("dnsguard", "limit", "set", "--mode", ""))
    assert "lo" in offered("dnsguard", "attach", "")
