"""The runner must never take silence, a crash or a broken promise for success: tests/run judged by samples."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def load_runner():
    loader = importlib.machinery.SourceFileLoader("dg_runner", str(ROOT / "tests" / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("dg_runner", loader))
    sys.modules["dg_runner"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


runner = load_runner()

TAP = [
    # what is printed, exit status, passed, failed, skipped
    ("1..2\necho ok 1 - a\necho ok 2 - b", 0, (2, 0, 0)),
    ("1..1\necho not ok 1 - a\necho '# 1 != 2'", 1, (0, 1, 0)),
    ("1..2\necho ok 1 - a\necho ok 2 - b '# SKIP no such device'", 0, (1, 0, 1)),
    ("1..0 '# SKIP no kernel image'", 0, (0, 0, 1)),
    ("1..2\necho ok 1 - a", 0, (1, 1, 0)),  # promised two
    ("1..1\necho ok 1 - a", 3, (1, 1, 0)),  # status says otherwise
    ("1..1\necho ok 1 - a\nkill -SEGV $$", 0, (1, 1, 0)),
    ("1..1\necho not ok 1 - a\nkill -SEGV $$", 0, (0, 2, 0)),
    ("", 0, (0, 1, 0)),  # nothing at all
    ("1..2\necho ok 1 - a\necho 'Bail out! no root'", 0, (1, 1, 0)),
]


def judged(argv, speaks, junit_path, silence=60):
    child = runner.Child("sample", argv, speaks, silence)
    outcome = runner.run_child(child, junit_path)
    runner.judge(child, outcome, junit_path)
    return outcome.cases


def counted(cases):
    return tuple(runner.count(cases).values())


@pytest.mark.parametrize("script,status,want", TAP)
def test_tap(script, status, want, tmp_path):
    cases = judged(["sh", "-c", f"echo {script}\nexit {status}"], "tap", tmp_path / "none")
    assert counted(cases) == want


def test_reason_belongs_to_the_failed_case(tmp_path):
    cases = judged(["sh", "-c", "echo 1..1; echo not ok 1 - sum; echo '# 1 != 2'; exit 1"], "tap", tmp_path / "none")
    assert (cases[0].name, cases[0].reason) == ("sum", "1 != 2")


def test_skip_keeps_its_reason(tmp_path):
    cases = judged(["sh", "-c", "echo 1..1; echo 'ok 1 - vlan # SKIP no 8021q'"], "tap", tmp_path / "none")
    assert (cases[0].name, cases[0].reason) == ("vlan", "no 8021q")


def test_overtime_is_a_failure_and_leaves_no_process(tmp_path):
    cases = judged(["sh", "-c", "echo 1..1; echo ok 1; sleep 600"], "tap", tmp_path / "none", silence=5)
    assert counted(cases) == (1, 1, 0) and "said nothing for 5 s" in cases[-1].reason


def test_who_is_slow_and_says_so_goes_on(tmp_path):
    script = "echo 1..1; for i in 1 2 3 4; do sleep 2; echo '# still here'; done; echo ok 1"
    assert counted(judged(["sh", "-c", script], "tap", tmp_path / "none", silence=6)) == (1, 0, 0)


def test_missing_program_is_a_failure(tmp_path):
    assert counted(judged(["/nonexistent"], "tap", tmp_path / "none")) == (0, 1, 0)


def test_junit(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a.b" name="c"/>'
        '<testcase classname="a.b" name="d"><failure message="no">1 != 2</failure></testcase>'
        '<testcase classname="a.b" name="e"><skipped message="no device"/></testcase></testsuite></testsuites>')
    cases = judged(["sh", "-c", "exit 1"], "junit", report)
    assert counted(cases) == (1, 1, 1) and cases[1].reason == "1 != 2"


def test_junit_without_report_is_a_failure(tmp_path):
    assert counted(judged(["true"], "junit", tmp_path / "none")) == (0, 1, 0)


def test_fuzzer_that_dies_is_a_failure(tmp_path):
    assert counted(judged(["false"], "exit", tmp_path / "none")) == (0, 1, 0)


def test_total_line_is_plain():
    cases = [runner.Case("a", "passed"), runner.Case("b", "skipped")]
    assert runner.total_line(cases) == "1 passed, 0 failed, 1 skipped"
