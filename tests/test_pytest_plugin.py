"""The plugin in sessions of its own: ``pytester`` starts them."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests_support.run_maker import SKILL, make_run

from serbench.checks.regress.gate import open_run
from serbench.checks.regress.session import Session
from serbench.checks.regress.text import write_golden
from serbench.checks.regress.update import make_golden
from serbench.running.plugins import load_plugins

pytest_plugins = ["pytester"]

MINI = """
[datasets.mini]
corpus = "demo"
folds = "pairs"
teachers = ["functionals"]
params = { speakers = 4, takes = 1 }
"""

REAL = """
TINY = ("student.dim=16", "student.layers=1", "student.heads=2")

def quick(serbench_run, **more):
    sets = [*TINY, "training.epochs=1", "training.precision=fp32"]
    return serbench_run("transformer+ce", dataset="mini", sets=sets, **more)

def test_scores(serbench_run):
    run = quick(serbench_run)
    scores = run.scores("transformer+ce")
    assert 0 <= scores.ua.low <= scores.ua.value <= scores.ua.high <= 1
    assert abs(scores.wa.value - scores.ua.value) < 1e-9  # as many of each class
    assert 0 <= scores.f1.value <= 1
    assert run.comparison.reference == "transformer+ce"
    assert (run.folder / "certificate.json").is_file()

def test_the_same_plan_is_the_same_run(serbench_run):
    one, other = quick(serbench_run), quick(serbench_run)
    assert one.folder == other.folder
    assert [p.name for p in one.folder.parent.iterdir() if p.is_dir()] == [one.folder.name]

def test_no_regression(serbench_run, tmp_path):
    from serbench.checks.regress.command import update_golden
    run = quick(serbench_run)
    golden = tmp_path / "golden.toml"
    update_golden(run.folder, golden, (), None, print)
    assert run.assert_no_regression(golden).passed

def test_latency(serbench_run, serbench_latency):
    posteriors = serbench_latency(quick(serbench_run), audio_s=0.5)
    assert posteriors.shape == (1, 4)
"""

STRICT = """
[pytest]
filterwarnings =
    error
    ignore:Module already imported so cannot be rewritten. _editable_impl_serbench
"""
"""The last line is for an editable install, which is there before pytest is."""

STAND_IN = """
import pytest
from pathlib import Path
from serbench.checks.regress.bench import BenchRun

@pytest.fixture
def finished():
    return BenchRun(Path("run"), None, None, golden=Path("golden.toml"))
"""


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What a session in this process imports is forgotten after it, and PyTorch cannot be imported
    twice; so it is all there before.
    """
    pd.DataFrame({"column": [1]}).to_parquet(io.BytesIO())
    importlib.import_module("serbench.checks.regress.bench")
    load_plugins()


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests in which every warning is an error; nothing of pytest-xdist, in whose
    worker this may run, reaches the session in it.
    """
    for name in [each for each in os.environ if each.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)
    pytester.makeini(STRICT)
    return pytester


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    return result.parseoutcomes()


@pytest.mark.slow
def test_a_real_run_is_made_once_and_benchmarked(session: pytest.Pytester) -> None:
    session.makefile(".toml", serbench=MINI)
    session.makepyfile(REAL)
    options = ("--serbench-runs", "kept", "--benchmark-json", "bench.json", "-p", "no:xdist")
    result = session.runpytest_inprocess(*options)
    assert outcomes(result) == {"passed": 4}, result.stdout.str()
    kept = [path for path in (session.path / "kept").iterdir() if path.is_dir()]
    assert len(kept) == 1
    written = (session.path / "bench.json").read_text()
    assert '"group": "serbench transformer+ce onnxruntime 0.5 s"' in written
    assert '"backend": "onnxruntime"' in written


def finished(session: pytest.Pytester, skill: float) -> None:
    """A run and golden results of it, AKD being right so much more or less often now."""
    write_golden(
        make_golden(open_run(make_run(session.path / "then")), None, None),
        session.path / "golden.toml",
    )
    shutil.rmtree(session.path / "then")
    make_run(session.path / "run", {**SKILL, "akd": SKILL["akd"] + skill})
    session.makeconftest(STAND_IN)


def test_a_regression_fails_a_test_with_all_that_was_found(session: pytest.Pytester) -> None:
    finished(session, -0.4)
    session.makepyfile("def test_it(finished): finished.assert_no_regression()")
    result = session.runpytest_inprocess("-p", "no:xdist")
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(
        [
            "*RegressionError: serbench regress: run against golden.toml: FAILED: * (2 of 8 *",
            "*failed: akd UA: UA fell * points below the reference: *; allowed: 1.0)",
            "*passed: vanilla-kd UA: *",
        ]
    )


def test_what_cannot_be_asked_is_told(session: pytest.Pytester) -> None:
    finished(session, 0.0)
    session.makepyfile(
        """
        import pytest
        from serbench.api import StoreError

        def test_methods(finished):
            with pytest.raises(StoreError, match="no method hybrid; its methods: akd, "):
                finished.scores("hybrid")

        def test_golden(finished):
            said = "golden file other.toml not found; .*regress run --update --golden other.toml"
            with pytest.raises(StoreError, match=said):
                finished.assert_no_regression("other.toml")
            assert finished.assert_no_regression("golden.toml").passed

        def test_none(finished):
            from dataclasses import replace
            with pytest.raises(StoreError, match="set --serbench-golden"):
                replace(finished, golden=None).assert_no_regression()
        """
    )
    assert outcomes(session.runpytest_inprocess("-p", "no:xdist")) == {"passed": 3}


def test_what_cannot_be_planned_fails_in_one_message(session: pytest.Pytester) -> None:
    session.makepyfile("def test_it(serbench_run): serbench_run('akdd')")
    result = session.runpytest_inprocess("-p", "no:xdist")
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["serbench_run: *akdd*did you mean 'akd'*"])
    assert "During handling" not in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


def test_without_pytest_benchmark_latency_is_skipped_with_a_reason(
    session: pytest.Pytester,
) -> None:
    session.makepyfile("def test_it(serbench_latency): assert False")
    result = session.runpytest_inprocess("-p", "no:benchmark", "-p", "no:xdist", "-rs")
    assert outcomes(result) == {"skipped": 1}
    result.stdout.fnmatch_lines(["*serbench_latency needs pytest-benchmark*"])


@pytest.mark.parametrize("content", [None, "schema_version = 0\n"])
def test_a_golden_file_that_cannot_be_read_is_one_message(
    session: pytest.Pytester, content: str | None
) -> None:
    finished(session, 0.0)
    golden = session.path / "golden.toml"
    golden.unlink()
    if content is not None:
        golden.write_text(content)
    session.makepyfile("def test_it(finished): finished.assert_no_regression()")
    result = session.runpytest_inprocess("-p", "no:xdist")
    assert outcomes(result) == {"failed": 1}
    (said,) = [line for line in result.outlines if line.startswith("E ")]
    assert ("golden.toml not found" if content is None else "schema_version is 0") in said
    assert "read_golden" not in result.stdout.str()
    assert "check_run" not in result.stdout.str()


def test_a_golden_file_that_the_command_line_names_must_be_there_at_once(
    session: pytest.Pytester,
) -> None:
    session.makepyfile("def test_it(serbench_run): assert False")
    result = session.runpytest_inprocess("-p", "no:xdist", "--serbench-golden", "gone.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = filter(None, result.errlines)
    assert "--serbench-golden gone.toml: not found" in said
    assert "serbench regress RUN --update --golden gone.toml" in said


SETTINGS = """
from pathlib import Path

def test_it(_serbench_session):
    made = _serbench_session
    print("jobs", made.jobs, "golden", made.golden, "runs", made.runs)
"""


@pytest.mark.parametrize(
    ("options", "jobs", "golden"),
    [
        ((), 2, "sub/ini.toml"),
        (("--serbench-jobs", "3", "--serbench-golden", "line.toml"), 3, "line.toml"),
    ],
)
def test_options_go_over_the_ini_file(
    pytester: pytest.Pytester, options: tuple[str, ...], jobs: int, golden: str
) -> None:
    pytester.makeini("[pytest]\nserbench_jobs = 2\nserbench_golden = sub/ini.toml\n")
    pytester.makepyfile(SETTINGS)
    (pytester.path / "line.toml").touch()
    result = pytester.runpytest_inprocess("-p", "no:xdist", "-s", *options)
    result.stdout.fnmatch_lines([f"*jobs {jobs} golden {pytester.path / golden} runs *"])


@pytest.mark.parametrize("jobs", ["0", "two"])
def test_jobs_must_be_a_number(pytester: pytest.Pytester, jobs: str) -> None:
    result = pytester.runpytest_inprocess("--serbench-jobs", jobs)
    assert result.ret == pytest.ExitCode.USAGE_ERROR


SPREAD = """
import os
import time
import pytest

@pytest.mark.parametrize("number", range(6))
def test_it(_serbench_session, number):
    def make():
        folder = _serbench_session.runs / "demo-run"
        folder.mkdir()  # a second time would raise
        time.sleep(0.2)
        return folder

    assert os.environ["PYTEST_XDIST_WORKER"]
    assert _serbench_session.once("a", make) == _serbench_session.runs / "demo-run"
"""


def test_processes_of_xdist_share_a_run(session: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    session.makepyfile(SPREAD)
    options = ("-n", "2", "-p", "no:benchmark", "-p", "no:hypothesispytest")
    result = session.runpytest_subprocess(*options)
    assert outcomes(result) == {"passed": 6}, result.stdout.str()


def test_a_later_session_makes_a_run_again(tmp_path: Path) -> None:
    calls: list[str] = []
    for name in ("one", "one", "two"):
        Session(tmp_path, name).once("a", lambda: calls.append("made") or tmp_path / "run")
    assert calls == ["made", "made"]


def test_the_plugin_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'pydantic', 'onnx'} & {*sys.modules}"
    code = f"import sys, serbench.pytest_plugin; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_help_teaches(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--help", "-p", "no:xdist")
    result.stdout.fnmatch_lines(
        ["serbench: runs as*", "*--serbench-runs=DIR*", "*serbench_golden (*"]
    )
    fixtures = pytester.runpytest_inprocess("--fixtures", "-p", "no:xdist")
    fixtures.stdout.fnmatch_lines(["serbench_run *", "serbench_latency *"])


def test_the_plugin_is_an_entry_point() -> None:
    from importlib.metadata import entry_points

    (found,) = (each for each in entry_points(group="pytest11") if each.name == "serbench")
    assert found.value == "serbench.pytest_plugin"
    assert Path(found.load().__file__).name == "pytest_plugin.py"
