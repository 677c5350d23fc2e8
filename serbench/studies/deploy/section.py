"""What ``results.json`` files of a run, measured here or elsewhere, show on pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from serbench.api import StoreError
from serbench.files.digests import shown_digest
from serbench.results.compare.records import Estimate
from serbench.results.figure.figure import Axis, Figure, Panel, Point, Scatter, pareto_front
from serbench.results.record import KIND, SCHEMA_VERSION, Fact, StudyRecord
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import (
    DIFFERENCE,
    SCORE,
    VERDICT,
    number,
)
from serbench.results.table.table import Table
from serbench.running.store.finished import Run
from serbench.studies.deploy.results import ResultRow, Results, load_results
from serbench.studies.deploy.timing import Latency, Speed, summarize

PLACE = Path("deploy") / "results.json"
"""Where ``serbench deploy`` writes, in a run's folder."""

MB = 1e6
"""Decimal, as file managers count."""

FACTS_NOTE = (
    "Latency and MB: of the fastest backend whose UA is not worse than that of PyTorch, where "
    "serbench deploy was run: median of a window at batch 1, and its ratio to PyTorch. Times of "
    "different machines do not compare; ratios do, roughly."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A backend and its times, where it was timed.

    Attributes:
        number: its place among those that were measured; 0: it was not.
        window_s: of audio.
    """

    row: ResultRow
    number: int
    speed: Speed | None
    window_s: float

    @property
    def latency(self) -> Latency | None:
        """With one window of audio."""
        return self.speed.latency[self.window_s] if self.speed else None

    @property
    def latency_ms(self) -> float | None:
        """Its median."""
        return 1e3 * self.latency.p50_s if self.latency else None

    @property
    def size_mb(self) -> float | None:
        """Of the converted files."""
        return None if self.row.size_bytes is None else self.row.size_bytes / MB

    @property
    def ua(self) -> Estimate | None:
        """Through this backend."""
        score = self.row.accuracy
        return Estimate(score.ua, score.ua_low, score.ua_high) if score else None

    @property
    def delta(self) -> Estimate | None:
        """Its UA less the reference's."""
        score = self.row.accuracy
        if score is None or score.delta_ua is None:
            return None
        return Estimate(score.delta_ua, score.delta_ua_low or 0.0, score.delta_ua_high or 0.0)


def entries_of(results: Results) -> list[Entry]:
    """Every backend, those that were measured with a number."""
    effort = results.settings.effort
    base = next((r.rounds for r in results.rows if r.name == results.reference), [])
    measured = [row for row in results.rows if row.outcome == "measured"]
    return [
        Entry(
            row,
            measured.index(row) + 1 if row in measured else 0,
            summarize(row.rounds, base, effort),
            effort.window_s,
        )
        for row in results.rows
    ]


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
    tables = (_measured(results, entries, title), _unmeasured(entries, title))
    figure = _figure(results, [each for each in entries if each.number])
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
        Column("UA", lambda each: each.ua, SCORE),
        Column(f"ΔUA to {results.reference}", lambda each: each.delta, DIFFERENCE),
        Column("Verdict", lambda each: each.row.accuracy and each.row.accuracy.verdict, VERDICT),
        Column("p50 ms", lambda each: each.latency_ms, two),
        Column("p99 ms", lambda each: each.latency and each.latency.p99_s, number(".2f", 1e3)),
        Column("Ratio", _ratio, two),
        Column("FPS", lambda each: each.speed and each.speed.fps, number(".0f")),
        Column("MB", lambda each: each.size_mb, two),
        Column("Peak MB", lambda each: each.speed and each.speed.peak_bytes, number(".0f", 1 / MB)),
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


def precision(row: ResultRow) -> str:
    """With its device, where that is no processor."""
    return row.precision if row.device == "cpu" else f"{row.precision}, GPU"


def _ratio(each: Entry) -> float | None:
    return each.latency.ratio.value if each.latency and each.latency.ratio else None


def _unmeasured(entries: Sequence[Entry], title: str) -> Table:
    columns: list[Column[Entry]] = [
        Column("Backend", lambda each: each.row.name),
        Column("Precision", lambda each: each.row.precision),
        Column("Device", lambda each: each.row.device),
        Column("Why", lambda each: f"{each.row.outcome}: {each.row.reason}"),
    ]
    missing = [each for each in entries if not each.number]
    return make_table("unmeasured", f"Not measured of {title}, and why", columns, missing)


def _figure(results: Results, entries: Sequence[Entry]) -> Figure:
    """UA against each cost, with backends numbered as in the table."""
    window_s = results.settings.effort.window_s
    base = next((e.ua for e in entries if e.row.name == results.reference), None)
    costs: tuple[tuple[str, str, Callable[[Entry], float | None]], ...] = (
        ("latency", f"Median latency of {window_s:g} s of audio in ms", lambda e: e.latency_ms),
        ("size", "Size of the converted files in MB", lambda e: e.size_mb),
    )
    panels, numbers = [], {}
    for what, axis, cost in costs:
        points = [
            _point(each, each.ua, x, base)
            for each in entries
            if each.ua and (x := cost(each)) is not None and x > 0
        ]
        if points:
            front = ", ".join(point.name for point in pareto_front(points))
            said = f"{len(points)} backends; no other is better in both than {front}."
            plot = Scatter(tuple(points), Axis(axis), Axis("UA in %"))
            panels.append(Panel(plot, f"UA against {what}", said))
            numbers[axis] = [(point, point in pareto_front(points)) for point in points]
    columns: list[Column[tuple[Point, bool]]] = [
        Column("Backend", lambda each: each[0].name),
        Column("Cost", lambda each: each[0].x, number(".3g")),
        Column("UA in %", lambda each: each[0].y, number(".2f")),
        Column("On the front", lambda each: "yes" if each[1] else "no"),
    ]
    caption = f"What {results.run.method} costs through each backend, and what it scores"
    key = "; ".join(f"{each.number} {each.row.name}" for each in entries)
    return Figure(
        "deploy",
        caption,
        tuple(panels),
        notes=(
            f"{key}.",
            "Diamonds on the line: the Pareto front of the values, which no other backend "
            f"beats in both. Bars: the 95 % interval of the difference to {results.reference},"
            " drawn at its UA; none where every utterance is given the same class.",
        ),
        numbers=make_table("numbers", f"{caption}, as numbers", columns, numbers),
        wide=True,
    )


def _point(each: Entry, ua: Estimate, x: float, base: Estimate | None) -> Point:
    low = high = ua.value
    if base and (delta := each.delta):
        low, high = base.value + delta.low, base.value + delta.high
    name = f"{each.row.name} ({precision(each.row)})"
    return Point(str(each.number), name, x, 100 * ua.value, 100 * low, 100 * high)


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
