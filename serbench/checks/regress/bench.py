"""A run inside a test session: made once for each plan, scored, compared with a golden file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from serbench.api import SAMPLE_RATE_HZ, SerbenchError, StoreError, WaveformPredictor, Waveforms
from serbench.checks.finding import Findings
from serbench.checks.regress.command import check_run
from serbench.checks.regress.golden import GoldenLatency
from serbench.checks.regress.measure import entry_backends
from serbench.checks.show import text_lines
from serbench.files.paths import cache_folder
from serbench.results.compare.records import Comparison, Estimate
from serbench.results.report.results import load_results
from serbench.running.executors.local import LocalExecutor
from serbench.running.harness.observer import Observer
from serbench.running.harness.resources import Resources
from serbench.running.harness.run import run as run_plan
from serbench.running.plan.records import digest_of
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import Plugins, load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.running.replay.run import Replay
from serbench.studies.deploy.models import convert_folds, export_folds
from serbench.studies.deploy.opened import OpenedModel, describe_model


@dataclass(frozen=True, slots=True)
class MethodScores:
    """Pooled scores of a method over the outer test folds, with 95 % confidence intervals."""

    ua: Estimate
    wa: Estimate
    f1: Estimate


class RegressionError(AssertionError):
    """A run is worse than its golden file allows."""


@dataclass(frozen=True)
class BenchRun:
    """A finished run.

    Attributes:
        folder: folder of the run.
        golden: golden file to use if none is named; None: no default.
    """

    folder: Path
    registry: Registry
    plugins: Plugins
    data_dir: Path | None = None
    golden: Path | None = None

    @cached_property
    def comparison(self) -> Comparison:
        """All methods, each compared with the first, as in the report.

        Raises:
            StoreError: the run's files are damaged.
        """
        return load_results([self.folder], marked=False).comparison

    def scores(self, method: str) -> MethodScores:
        """A method's UA, WA and macro-F1; ``teacher:NAME`` is a teacher's own head.

        Raises:
            StoreError: the run has no such method.
        """
        for result in self.comparison.methods:
            if result.method == method:
                pooled = result.pooled
                return MethodScores(pooled["ua"], pooled["wa"], pooled["macro_f1"])
        there = ", ".join(result.method for result in self.comparison.methods)
        raise StoreError(f"{self.folder.name} has no method {method}; its methods: {there}")

    def assert_no_regression(self, golden: str | Path | None = None) -> Findings:
        """Compare UA and WA with a golden file, as ``serbench regress --no-latency`` does.

        Args:
            golden: the file; None: the one of ``--serbench-golden``.

        Returns:
            The findings.

        Raises:
            RegressionError: a check failed; the message has all of them.
            StoreError: run and golden file cannot be compared.
        """
        __tracebackhide__ = True
        path = Path(golden) if golden is not None else self.golden
        if path is None:
            raise StoreError("no golden file was named; give one, or set --serbench-golden")
        if not path.is_file():
            raise StoreError(
                f"golden file {path} not found; if you trust this run, make it: serbench "
                f"regress {self.folder} --update --golden {path}"
            )
        found = _found(self.folder, path)
        if isinstance(found, SerbenchError):  # so that pytest shows only the message
            raise found
        if not found.passed:
            raise RegressionError("\n".join(text_lines(found)))
        return found

    def predictor(
        self, backend: str = "onnxruntime", method: str | None = None, threads: int = 1
    ) -> WaveformPredictor:
        """The model of outer fold 1 in a backend, in this process: waveforms to posteriors.

        Args:
            backend: name in the registry.
            method: None: the run's first.
            threads: threads of the runtime.

        Raises:
            PluginError: the backend cannot run here, or not with this model.
            StoreError: the run has no such method.
        """
        with lenient_warnings():
            replay = self._replay()
            name = method or replay.students[0].method
            seed = min(student.seed for student in replay.students_of([name]))
            entry = GoldenLatency(method=name, backend=backend)
            candidate = entry_backends(self.registry, [entry], "this test")[backend]
            (model,) = export_folds(replay, replay.fold_networks(name, [seed])[:1])
            (converted,) = convert_folds(candidate, [model], replay.cache)
            facts = describe_model(model.deployed)
            return candidate.backend.open(OpenedModel(facts), converted.folder, threads)

    def _replay(self) -> Replay:
        return Replay.open(
            self.folder,
            self.registry,
            self.plugins,
            data_dir=self.data_dir,
            cache=cache_folder(),
            watch=Observer(),
        )


def _found(folder: Path, golden: Path) -> Findings | SerbenchError:
    """The findings of a comparison, or the error that prevented it."""
    try:
        return check_run(folder, golden, None)
    except SerbenchError as error:
        return error.with_traceback(None)


def make_run(
    request: Request,
    data_dir: Path | None,
    jobs: int,
    runs: Path,
    once: Callable[[str, Callable[[], Path]], Path],
    golden: Path | None = None,
) -> BenchRun:
    """The run of a plan.

    Args:
        request: the plan's request.
        data_dir: the corpus's folder; None: serbench searches for it.
        jobs: fits to run in parallel.
        runs: folder for run folders.
        once: called with a digest of the plan and a function that makes the run's folder; it may
            already know the folder.
        golden: file that the run is compared with if none is named.

    Raises:
        SerbenchError: the run cannot be planned or run.
    """
    with lenient_warnings():
        plugins = load_plugins()
        known = load_registry(plugins, None, strict=False)
        plan = plan_run(known, request)
        where = str(data_dir.resolve()) if data_dir else ""
        resources = Resources(
            runs=runs,
            cache=cache_folder(),
            device="cpu",
            executor=LocalExecutor(jobs),
            data_dir=data_dir,
            command="pytest: serbench_run",
            plugins=plugins.loaded,
        )
        digest = digest_of([plan.describe(), where])[:16]
        folder = once(digest, partial(run_plan, plan, resources, Observer()))
    return BenchRun(folder, known, plugins, data_dir, golden)


@contextmanager
def lenient_warnings() -> Iterator[None]:
    """Show warnings of libraries during training and export, without failing a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


def speech_like_noise(audio_s: float) -> Waveforms:
    """Noise ``(1, samples)`` at the level of speech; latency does not depend on the content."""
    samples = round(audio_s * SAMPLE_RATE_HZ)
    return np.random.default_rng(0).normal(0.0, 0.05, (1, samples)).astype(np.float32)
