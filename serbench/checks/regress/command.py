"""The work of ``serbench regress``, after its arguments are read."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.api import StoreError
from serbench.checks.finding import Findings
from serbench.checks.regress.gate import Timing, check_accuracy, check_reference, judge, open_run
from serbench.checks.regress.golden import Golden, GoldenLatency, GoldenReference, read_golden
from serbench.checks.regress.measure import ROUNDS, Conditions, entry_backends, time_entries
from serbench.checks.regress.ratios import change_text, median_bounds
from serbench.checks.regress.reference import open_reference
from serbench.checks.regress.text import differences, write_golden
from serbench.checks.regress.update import forecast, make_golden, wanted_entries
from serbench.running.registry.lookup import Registry
from serbench.running.replay.run import Replay
from serbench.studies.deploy.device.instruments import cpu_name, free_cores
from serbench.studies.deploy.process import call_worker
from serbench.studies.deploy.versions import runtime_versions

OpenReplay = Callable[[], Replay]


@dataclass(frozen=True, slots=True)
class Bench:
    """Tools for measuring latencies.

    Attributes:
        open_replay: opens the run with its corpus, which takes a while.
        reference: a model file whose latency others are divided by; None: the built-in graph.
    """

    registry: Registry
    open_replay: OpenReplay
    reference: Path | None = None
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Update:
    """The result of an update.

    Attributes:
        changes: field, old value, new value.
        warnings: ratios that are too uncertain for a comparison.
    """

    path: Path
    golden: Golden
    changes: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]


def check_run(folder: Path, path: Path, bench: Bench | None) -> Findings:
    """Compare a run with a golden file.

    Args:
        folder: folder of the run.
        path: path of the golden file.
        bench: None: only accuracy is checked.

    Raises:
        SerbenchError: they cannot be compared, or a backend cannot run here.
    """
    golden = read_golden(path)
    run = open_run(folder)
    check_accuracy(run, golden, path)  # first, because measuring takes minutes
    if not (bench and golden.latency):
        return judge(run, golden, path)
    unmeasured = [each.what for each in golden.latency if each.ratio is None]
    if unmeasured:
        raise StoreError(
            f"{path}: {', '.join(unmeasured)} has no ratio yet; measure it on a run that you "
            f"trust: serbench regress RUN --update --golden {path}"
        )
    return judge(run, golden, path, _time(bench, golden, golden.latency, path))


def update_golden(
    folder: Path,
    path: Path,
    backends: Sequence[str],
    bench: Bench | None,
    announce: Callable[[str], object],
) -> Update:
    """Write a run's results as the golden file, with the user's settings of the old one.

    Args:
        folder: folder of the run.
        path: path of the golden file.
        backends: backends to add to those of the old file.
        bench: None: latency is left out.
        announce: called with the expected duration before anything is measured.

    Raises:
        SerbenchError: the run or the old file cannot be read, or a backend cannot run here.
    """
    old = read_golden(path) if path.exists() else None
    run = open_run(folder)
    entries = wanted_entries(run, old, backends, path) if bench else ()
    rounds, start_s = (bench.rounds, process_start_s()) if bench and entries else (0, 0.0)
    for line in forecast(run, entries, rounds, start_s):
        announce(line)
    timing = _time(bench, old, entries, path, anew=True) if bench and entries else None
    golden = make_golden(run, old, timing)
    write_golden(golden, path)
    changes = tuple(differences(old, golden))
    return Update(path, golden, changes, tuple(_unsure(golden, timing)))


def process_start_s() -> float:
    """How long a process that runs a model currently takes to start on this machine."""
    before = time.perf_counter()
    call_worker("import", {"module": "onnxruntime", "cores": free_cores(1)}, 1)
    return time.perf_counter() - before


def _unsure(golden: Golden, timing: Timing | None) -> Iterator[str]:
    """Ratios whose bounds are farther apart than the tolerance."""
    for timed, entry in zip(timing.found if timing else (), golden.latency, strict=False):
        low, high = median_bounds(timed.ratios)
        allowed = golden.allowed.latency if entry.allowed is None else entry.allowed
        if high / low > 1 + allowed:
            yield (
                f"the ratio of {entry.what} is uncertain: between {low:.3g} and {high:.3g}, but "
                f"{change_text(allowed)} is allowed; update again on a quieter machine, or with "
                "more --rounds"
            )


def _time(
    bench: Bench,
    golden: Golden | None,
    entries: Sequence[GoldenLatency],
    path: Path,
    *,
    anew: bool = False,
) -> Timing:
    """Measure entries; with ``anew``, the reference model may differ from the golden file's.

    Raises:
        SerbenchError: a backend or the reference cannot run here.
    """
    backends = entry_backends(bench.registry, entries, str(path))
    threads = golden.reference.threads if golden and golden.reference else 1
    with tempfile.TemporaryDirectory(prefix="serbench-regress-") as folder:
        reference = open_reference(bench.reference, Path(folder))
        if golden and not anew:
            check_reference(golden, reference, path)
        conditions = Conditions(reference, threads, bench.rounds)
        found = time_entries(bench.open_replay(), entries, backends, conditions)
    where = GoldenReference(
        kind="built-in" if reference.kind == "built-in" else "file",
        sha256=reference.sha256,
        threads=threads,
        cpu=cpu_name(),
        packages=_packages(runtime_versions(backends.values()), entries),
    )
    return Timing(where, found)


def _packages(versions: dict[str, str], entries: Sequence[GoldenLatency]) -> dict[str, str]:
    """The runtime of the reference, and packages that share a name with a backend."""
    names = {entry.backend.partition("-")[0] for entry in entries} | {"onnxruntime"}
    return {name: version for name, version in versions.items() if name in names}
