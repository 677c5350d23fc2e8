"""A deployment as it is written to files, and what pages show of a run's ``results.json``, which
was measured here or on another device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.api import StoreError
from serbench.files.digests import shown_digest
from serbench.results.figure.figure import Figure
from serbench.results.record import Fact
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import number
from serbench.results.table.table import Table
from serbench.running.store.finished import StoredRun
from serbench.studies.deploy.entries import (
    FPS,
    PEAK,
    SIZE,
    DeploymentEntry,
    entries_of,
    precision,
    score_columns,
    unmeasured_table,
)
from serbench.studies.deploy.figure import deploy_figure
from serbench.studies.deploy.measure import Deployment
from serbench.studies.deploy.results import FILE, DeployResults, load_results, results_text
from serbench.studies.deploy.tables import deploy_tables, paper_table
from serbench.studies.study import Shown

FACTS_NOTE = (
    "Latency and MB: of the fastest backend whose UA is not significantly worse than that of "
    "PyTorch, if serbench deploy was run. Latency: median for one window at batch 1, and its "
    "ratio to PyTorch. Times of different machines cannot be compared; ratios can, roughly."
)


def show_deployment(found: Deployment, named: Sequence[str]) -> Shown:
    """Show everything that was measured.

    Args:
        found: the results of this machine and of other devices.
        named: backends that the user named; if any, a backend that failed is an error.
    """
    results = found.results
    failed = "; ".join(f"{row.name}: {row.reason}" for row in found.failed)
    return Shown(
        title=f"Deployment of {results.run.method} on {results.run.dataset}",
        heading=_heading(results),
        certificates=(found.certificate,),
        tables=deploy_tables(found),
        figures=_figures(results),
        claims=(paper_table(),),
        files={FILE: results_text(results)},
        facts=_facts(results),
        facts_note=FACTS_NOTE,
        failure=f"backends that you named failed: {failed}" if named and failed else "",
    )


def show_results(results: DeployResults, run: StoredRun) -> Shown:
    """The most important results, for a page."""
    entries, title = entries_of(results), _title(results)
    missing = unmeasured_table(entries, f"Backends not measured for {title}, and why")
    tables = (_measured(results, entries, title), missing)
    return Shown(
        title=_heading(results),
        heading=_heading(results),
        certificates=(run.certificate,),
        lines=(_about(results),),
        tables=tuple(table for table in tables if table.sections),
        figures=_figures(results),
        facts=_facts(results),
        facts_note=FACTS_NOTE,
    )


def deployments_of(
    runs: Sequence[StoredRun], files: Sequence[Path]
) -> list[tuple[DeployResults, StoredRun]]:
    """Read results, each with its run.

    Args:
        runs: the runs of a page.
        files: paths of ``results.json``, each once.

    Raises:
        StoreError: a file cannot be read, is damaged, or belongs to none of the runs.
    """
    paths = {path.resolve(): path for path in files}
    loaded = [(load_results(path), path) for path in paths.values()]
    return [(results, _run_of(results, path, runs)) for results, path in loaded]


def _run_of(results: DeployResults, path: Path, runs: Sequence[StoredRun]) -> StoredRun:
    """
    Raises:
        StoreError: the file is of another run.
    """
    measured = results.run
    for run in runs:
        if run.plan["digest"] == measured.plan_digest:
            if run.certificate.digest != measured.certificate_digest:
                raise StoreError(
                    f"{path} was measured under another certificate of {run.name}: "
                    f"{shown_digest(measured.certificate_digest)}, but the run has "
                    f"{shown_digest(run.certificate.digest)}; run `serbench deploy` again"
                )
            return run
    names = " or ".join(run.name for run in runs)
    raise StoreError(
        f"{path} belongs to the run {measured.name}, not to {names}; leave it out, or report its "
        "run"
    )


def _title(results: DeployResults) -> str:
    return f"{results.run.method} on {results.machine.name}"


def _heading(results: DeployResults) -> str:
    return f"Deployment: {_title(results)}"


def _figures(results: DeployResults) -> tuple[Figure, ...]:
    """The figure; none if nothing was scored."""
    figure = deploy_figure(results)
    return (figure,) if figure.panels else ()


def _about(results: DeployResults) -> str:
    machine, run, threads = results.machine, results.run, results.settings.threads
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{run.model} of {run.name}, seed {run.seed}; {machine.cpu}, {machine.usable_cores} of "
        f"{machine.cores} cores, {threads} thread{'s' if threads > 1 else ''} per process; "
        f"{machine.system}; {machine.python}; {packages}; {machine.date}. Times are valid for this "
        "machine only; ratios transfer better."
    )


def _measured(results: DeployResults, entries: Sequence[DeploymentEntry], title: str) -> Table:
    window_s, rounds = results.settings.effort.window_s, results.settings.rounds
    two = number(".2f")
    columns: list[Column[DeploymentEntry]] = [
        Column("Backend", lambda each: f"{each.number} {each.row.name}"),
        Column("Precision", lambda each: precision(each.row)),
        *score_columns(results.reference),
        Column("p50 ms", lambda each: each.latency_ms, two),
        Column("p99 ms", lambda each: each.latency and each.latency.p99_s, number(".2f", 1e3)),
        Column("Ratio", _ratio, two),
        FPS,
        SIZE,
        PEAK,
    ]
    return make_table(
        "measured",
        f"Deployment of {title}: UA in % and cost by backend",
        columns,
        [each for each in entries if each.number],
        notes=(
            f"Latency with {window_s:g} s of audio at batch 1, over {rounds} interleaved "
            f"round{'s' if rounds != 1 else ''}; ratio of medians to {results.reference}, median "
            "over rounds. FPS: such windows per second. MB: 10⁶ bytes of converted files; peak: "
            "of the whole process.",
            "UA: every outer test utterance through the backend, with 95 % CI over speakers; "
            "differences use the same draws.",
        ),
    )


def _ratio(each: DeploymentEntry) -> float | None:
    return each.latency.ratio.value if each.latency and each.latency.ratio else None


def _facts(results: DeployResults) -> tuple[Fact, ...]:
    """Latency, size and name of the fastest backend that is not significantly worse, if any."""
    timed = [
        (each.latency_ms, each.row.name, each)
        for each in entries_of(results)
        if each.latency_ms is not None
        and not (each.row.accuracy and each.row.accuracy.verdict == "significantly worse")
    ]
    if not timed:
        return ()
    milliseconds, name, best = min(timed, key=lambda each: each[:2])
    ratio, method, machine = _ratio(best), results.run.method, results.machine
    about = f"{best.window_s:g} s of audio; {machine.name}, {machine.date}"
    said = f"ratio {ratio:.2f}" if ratio is not None else ""
    facts = [Fact(method, "Latency, ms", f"{milliseconds:.2f}", milliseconds, said)]
    if best.size_mb is not None:
        facts.append(Fact(method, "MB", f"{best.size_mb:.2f}", best.size_mb))
    return (*facts, Fact(method, "Backend", name, None, about))
