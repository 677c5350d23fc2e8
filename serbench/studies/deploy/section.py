"""What ``results.json`` files of a run, measured here or elsewhere, show on pages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from serbench.api import StoreError
from serbench.files.digests import shown_digest
from serbench.results.record import KIND, SCHEMA_VERSION, Fact, StudyRecord
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import number
from serbench.results.table.table import Table
from serbench.running.store.finished import Run
from serbench.studies.deploy.entries import (
    FPS,
    PEAK,
    SIZE,
    Entry,
    entries_of,
    precision,
    score_columns,
    unmeasured_table,
)
from serbench.studies.deploy.figure import deploy_figure
from serbench.studies.deploy.results import Results, load_results

PLACE = Path("deploy") / "results.json"
"""Where ``serbench deploy`` writes, in a run's folder."""

FACTS_NOTE = (
    "Latency and MB: of the fastest backend whose UA is not worse than that of PyTorch, where "
    "serbench deploy was run: median of a window at batch 1, and its ratio to PyTorch. Times of "
    "different machines do not compare; ratios do, roughly."
)


def deploy_records(runs: Sequence[Run], files: Sequence[Path] = ()) -> tuple[StudyRecord, ...]:
    """What was measured of runs: in their folders, and in ``files`` from elsewhere.

    Raises:
        StoreError: a file cannot be read, is damaged, or is of none of the runs.
    """
    own = [place for run in runs if (place := run.folder / PLACE).is_file()]
    paths = {path.resolve(): path for path in (*own, *files)}
    loaded = {path: load_results(path) for path in paths.values()}
    return tuple(_record(held, _run_of(held, path, runs)) for path, held in loaded.items())


def _run_of(results: Results, path: Path, runs: Sequence[Run]) -> Run:
    """
    Raises:
        StoreError: it is of another run.
    """
    measured = results.run
    for run in runs:
        if run.plan["digest"] == measured.plan_digest:
            if run.certificate.digest != measured.certificate_digest:
                raise StoreError(
                    f"{path} was measured under another certificate of {run.name}: "
                    f"{shown_digest(measured.certificate_digest)}, and the run has "
                    f"{shown_digest(run.certificate.digest)}; run `serbench deploy` again"
                )
            return run
    names = " or ".join(run.name for run in runs)
    raise StoreError(
        f"{path} is of the run {measured.name}, and not of {names}; leave it out, or report its run"
    )


def _record(results: Results, run: Run) -> StudyRecord:
    entries = entries_of(results)
    title = f"{results.run.method} on {results.machine.name}"
    missing = unmeasured_table(entries, f"Not measured of {title}, and why")
    tables = (_measured(results, entries, title), missing)
    figure = deploy_figure(results)
    return StudyRecord(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        study="deploy",
        title=f"Deployment: {title}",
        version=version("serbench"),
        params={},
        runs=(run.name,),
        certificates=(run.certificate.digest,),
        lines=(_about(results),),
        tables=tuple(table for table in tables if table.sections),
        figures=(figure,) if figure.panels else (),
        facts=_facts(results, entries),
        facts_note=FACTS_NOTE,
    )


def _about(results: Results) -> str:
    machine, run, threads = results.machine, results.run, results.settings.threads
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{run.model} of {run.name}, seed {run.seed}; {machine.cpu}, {machine.usable_cores} "
        f"of {machine.cores} cores, {threads} thread{'s' if threads > 1 else ''} per process; "
        f"{machine.system}; {machine.python}; {packages}; {machine.date}. Times are of this "
        "machine and of no other; ratios travel better."
    )


def _measured(results: Results, entries: Sequence[Entry], title: str) -> Table:
    window_s, rounds = results.settings.effort.window_s, results.settings.rounds
    two = number(".2f")
    columns: list[Column[Entry]] = [
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
            "UA: every outer test utterance through the backend, with 95 % interval over "
            "speakers; differences over the same draws.",
        ),
        certificates=(results.run.certificate_digest,),
    )


def _ratio(each: Entry) -> float | None:
    return each.latency.ratio.value if each.latency and each.latency.ratio else None


def _facts(results: Results, entries: Sequence[Entry]) -> tuple[Fact, ...]:
    """Latency, size and name of the fastest backend that is not worse, where there is one."""
    timed = [
        (each.latency_ms, each.row.name, each)
        for each in entries
        if each.latency_ms is not None
        and not (each.row.accuracy and each.row.accuracy.verdict == "worse")
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
