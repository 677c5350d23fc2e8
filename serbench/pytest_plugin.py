"""serbench in pytest: runs as fixtures, golden files as assertions, latency as benchmarks.

pytest loads this module in every session if serbench is installed. So only pytest is imported
before a test asks for a fixture.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serbench.checks.regress.bench import BenchRun
    from serbench.checks.regress.session import Session

RUNS_HELP = "Folder for the runs of serbench_run. Default: a temporary folder."
GOLDEN_HELP = "Golden file that assert_no_regression() uses if a test names none."
JOBS_HELP = "Fits that serbench_run trains in parallel. Default: 1."


class RunFactory(Protocol):
    """The fixture ``serbench_run``."""

    def __call__(
        self,
        *methods: str,
        dataset: str = "demo",
        profile: str = "demo",
        data_dir: str | os.PathLike[str] | None = None,
        teachers: Sequence[str] = (),
        sets: Sequence[str] = (),
    ) -> BenchRun:
        """Return the finished run; the arguments are those of ``serbench run``."""
        ...


class LatencyBenchmark(Protocol):
    """The fixture ``serbench_latency``."""

    def __call__(
        self,
        run: BenchRun,
        backend: str = "onnxruntime",
        method: str | None = None,
        audio_s: float = 3.0,
        threads: int = 1,
    ) -> NDArray[Any]:
        """Benchmark one call with ``audio_s`` seconds; returns its posteriors ``(1, C)``."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group ``serbench``; each is also a setting of the ini file."""
    group = parser.getgroup("serbench", "serbench: runs as fixtures, golden files, latency")
    group.addoption("--serbench-runs", metavar="DIR", help=RUNS_HELP)
    group.addoption("--serbench-golden", metavar="FILE", help=GOLDEN_HELP)
    group.addoption("--serbench-jobs", metavar="N", type=_positive, help=JOBS_HELP)
    parser.addini("serbench_runs", RUNS_HELP)
    parser.addini("serbench_golden", GOLDEN_HELP)
    parser.addini("serbench_jobs", JOBS_HELP)


def pytest_configure(config: pytest.Config) -> None:
    """Check that the golden file of the command line exists, before fits that take minutes."""
    given = config.getoption("--serbench-golden")
    if given and not (config.invocation_params.dir / str(given)).is_file():
        raise pytest.UsageError(
            f"--serbench-golden {given}: not found; make it from a run that you trust: serbench "
            f"regress RUN --update --golden {given}"
        )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"serbench jobs must be a whole number of at least 1, not {text!r}")
    return int(text)


def _chosen(config: pytest.Config, name: str) -> str:
    """Value of an option on the command line, else in the ini file; empty if it is in neither."""
    return str(config.getoption(f"--serbench-{name}") or config.getini(f"serbench_{name}") or "")


def _path(config: pytest.Config, name: str) -> Path | None:
    """Path of an option. On the command line it is relative to the folder where pytest was started;
    in the ini file it is relative to that file.
    """
    if given := config.getoption(f"--serbench-{name}"):
        return config.invocation_params.dir / str(given)
    if set_ := config.getini(f"serbench_{name}"):
        return (config.inipath.parent if config.inipath else config.rootpath) / str(set_)
    return None


@pytest.fixture(scope="session")
def _serbench_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    """Session with the folder of runs, which all processes of pytest-xdist share."""
    from serbench.checks.regress.session import Session

    config = request.config
    spread = getattr(config, "workerinput", {}).get("testrunuid")  # of pytest-xdist
    base = tmp_path_factory.getbasetemp()
    return Session(
        runs=_path(config, "runs") or (base.parent if spread else base) / "serbench-runs",
        name=spread or secrets.token_hex(8),
        jobs=_positive(_chosen(config, "jobs") or "1"),
        golden=_path(config, "golden"),
    )


@pytest.fixture(scope="session")
def serbench_run(_serbench_session: Session) -> RunFactory:
    """Run methods through the guarded protocol, each plan once in a session.

    ``serbench_run("akd", dataset="demo").scores("akd").ua.value`` is the UA of a run. The result
    has ``folder``, ``scores(method)``, ``comparison`` and ``assert_no_regression(golden)``.
    """
    from serbench.api import SerbenchError
    from serbench.running.plan.request import Request

    def make(
        *methods: str,
        dataset: str = "demo",
        profile: str = "demo",
        data_dir: str | os.PathLike[str] | None = None,
        teachers: Sequence[str] = (),
        sets: Sequence[str] = (),
    ) -> BenchRun:
        wanted = Request(dataset, methods, profile, tuple(teachers), tuple(sets))
        try:
            return _serbench_session.make(wanted, Path(data_dir) if data_dir else None)
        except SerbenchError as error:
            said = f"serbench_run: {error}"
        pytest.fail(said, pytrace=False)  # outside `except`, so that no traceback is shown

    return make


@pytest.fixture
def serbench_latency(request: pytest.FixtureRequest) -> LatencyBenchmark:
    """Benchmark a run's model in a backend with pytest-benchmark; skip if that is missing.

    ``serbench_latency(serbench_run("akd"), "onnxruntime")``. The benchmark's group is named by
    backend, method and seconds of audio, so that ``--benchmark-compare`` compares equal settings.
    """
    if not request.config.pluginmanager.hasplugin("benchmark"):
        pytest.skip(
            "serbench_latency needs pytest-benchmark, which is not installed or is disabled"
        )
    benchmark: Any = request.getfixturevalue("benchmark")

    def measure(
        run: BenchRun,
        backend: str = "onnxruntime",
        method: str | None = None,
        audio_s: float = 3.0,
        threads: int = 1,
    ) -> NDArray[Any]:
        from serbench.api import SerbenchError
        from serbench.checks.regress.bench import speech_like_noise

        said, predict = "", None
        try:
            predict = run.predictor(backend, method, threads)
        except SerbenchError as error:
            said = f"serbench_latency: {error}"
        if predict is None:
            pytest.fail(said, pytrace=False)
        name = method or run.comparison.students[0].method
        benchmark.group = f"serbench {name} {backend} {audio_s:g} s"
        benchmark.extra_info.update(
            run=run.folder.name, method=name, backend=backend, audio_s=audio_s, threads=threads
        )
        return benchmark(predict, speech_like_noise(audio_s))

    return measure
