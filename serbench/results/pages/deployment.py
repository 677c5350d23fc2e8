"""What a deployed student costs and scores: results of ``serbench deploy``, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.api import StoreError
from serbench.results.compare.records import Estimate
from serbench.results.pages.charts.chart import Chart, Panel
from serbench.results.pages.charts.scatter import Point, pareto_front, scatter
from serbench.results.pages.series import listed, numbers_table
from serbench.results.report.build import unique_slugs
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, Row, Section, Table, signed, with_interval
from serbench.studies.deploy.results import ResultRow, load_results
from serbench.studies.deploy.results import Results as Measured
from serbench.studies.deploy.timing import Speed, summarize

PLACE = Path("deploy") / "results.json"
"""Where ``serbench deploy`` writes, in a run's folder."""

MB = 1e6
"""Decimal, as file managers count."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One machine's measurements of one student.

    Attributes:
        charts: UA against latency and size; none where nothing has both a score and times.
    """

    title: str
    about: str
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A backend that was measured."""

    row: ResultRow
    speed: Speed | None
    window_s: float

    @property
    def latency_ms(self) -> float | None:
        """Median with one window of audio."""
        return 1e3 * self.speed.latency[self.window_s].p50_s if self.speed else None

    @property
    def size_mb(self) -> float | None:
        """Of the converted files."""
        return None if self.row.size_bytes is None else self.row.size_bytes / MB


def deployments(results: Results, files: Sequence[Path]) -> tuple[Deployment, ...]:
    """Measurements in the runs' folders, and those of ``files``.

    Raises:
        StoreError: a file cannot be read, is damaged, or is of none of the runs.
    """
    own = [place for run in results.runs if (place := run.folder / PLACE).is_file()]
    paths = {path.resolve(): path for path in (*own, *files)}
    measured = [_of_these(load_results(path), path, results) for path in paths.values()]
    titles = [f"{each.run.method} on {each.machine.name}" for each in measured]
    slugs = unique_slugs(f"{number}-{title}" for number, title in enumerate(titles, start=1))
    return tuple(
        _deployment(each, title, slug)
        for each, title, slug in zip(measured, titles, slugs.values(), strict=True)
    )


def _of_these(measured: Measured, path: Path, results: Results) -> Measured:
    """
    Raises:
        StoreError: it is of another run.
    """
    for run in results.runs:
        if run.plan["digest"] == measured.run.plan_digest:
            if run.certificate.digest != measured.run.certificate_digest:
                raise StoreError(
                    f"{path} was measured under another certificate of {run.name}: "
                    f"{measured.run.certificate_digest[:12]}, and the run has "
                    f"{run.certificate.digest[:12]}; run `serbench deploy` again"
                )
            return measured
    raise StoreError(
        f"{path} is of the run {measured.run.name}, and not of "
        f"{listed([run.name for run in results.runs], 'or')}; leave it out, or report its run"
    )


def _deployment(measured: Measured, title: str, slug: str) -> Deployment:
    effort = measured.settings.effort
    base = next((r.rounds for r in measured.rows if r.name == measured.reference), [])
    entries = [
        _Entry(row, summarize(row.rounds, base, effort), effort.window_s)
        for row in measured.rows
        if row.outcome == "measured"
    ]
    machine, run = measured.machine, measured.run
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return Deployment(
        title=title,
        about=f"{run.model} of {run.name}, seed {run.seed}; {machine.cpu}, {machine.usable_cores} "
        f"of {machine.cores} cores, {measured.settings.threads} thread"
        f"{'s' if measured.settings.threads > 1 else ''} per process; {machine.system}; "
        f"{machine.python}; {packages}; {machine.date}. Times are of this machine and of no other; "
        "ratios travel better.",
        charts=_charts(measured, entries, slug),
        tables=tuple(_tables(measured, entries, title, slug)),
    )


def _charts(measured: Measured, entries: Sequence[_Entry], slug: str) -> tuple[Chart, ...]:
    """UA against each cost, with backends numbered as in the table."""
    window_s = measured.settings.effort.window_s
    scored = [each for each in entries if each.row.accuracy is not None]
    reference = next((e.row.accuracy for e in scored if e.row.name == measured.reference), None)
    costs: tuple[tuple[str, str, Callable[[_Entry], float | None]], ...] = (
        ("latency", f"Median latency of {window_s:g} s of audio in ms", lambda e: e.latency_ms),
        ("size", "Size of the converted files in MB", lambda e: e.size_mb),
    )
    panels, sections = [], []
    for what, axis, cost in costs:
        points = [
            _point(number, each, x, reference.ua if reference else None)
            for number, each in enumerate(entries, start=1)
            if each in scored and (x := cost(each)) is not None and x > 0
        ]
        if not points:
            continue
        front = pareto_front(points)
        names = listed([point.hint for point in front])
        svg = scatter(
            f"deploy-{slug}-{what}",
            f"UA against {what}",
            f"{len(points)} backends; no other is better in both than {names}.",
            points,
            axis,
            "UA in %",
        )
        panels.append(Panel(svg, f"UA against {what}"))
        rows = tuple(
            (point.hint, f"{point.x:.3g}", f"{point.y:.2f}", "yes" if point in front else "no")
            for point in points
        )
        sections.append(Section(rows, axis))
    if not panels:
        return ()
    caption = f"What {measured.run.method} costs through each backend, and what it scores"
    key = "; ".join(f"{n} {each.row.name}" for n, each in enumerate(entries, start=1))
    return (
        Chart(
            name=f"deploy-{slug}-chart",
            caption=caption,
            panels=tuple(panels),
            numbers=numbers_table(
                f"deploy-{slug}-numbers",
                f"{caption}, as numbers",
                ("Backend", "Cost", "UA in %", "On the front"),
                sections,
            ),
            notes=(
                f"{key}.",
                "Diamonds on the line: the Pareto front of the values, which no other backend "
                f"beats in both. Bars: the 95 % interval of the difference to {measured.reference},"
                " drawn at its UA; none where every utterance is given the same class.",
            ),
            wide=True,
        ),
    )


def _point(number: int, each: _Entry, x: float, base: float | None) -> Point:
    score = each.row.accuracy
    assert score is not None
    low = high = score.ua
    if base is not None and score.delta_ua_low is not None and score.delta_ua_high is not None:
        low, high = base + score.delta_ua_low, base + score.delta_ua_high
    label = f"{number}"
    hint = f"{each.row.name} ({each.row.precision})"
    return Point(label, hint, x, 100 * score.ua, 100 * low, 100 * high)


def _tables(measured: Measured, entries: Sequence[_Entry], title: str, slug: str) -> list[Table]:
    window_s = measured.settings.effort.window_s
    rounds = measured.settings.rounds
    columns = (
        "Backend", "Precision", "UA", f"ΔUA to {measured.reference}", "Verdict",
        "p50 ms", "p99 ms", "Ratio", "FPS", "MB", "Peak MB",
    )  # fmt: skip
    rows = tuple(_row(number, each) for number, each in enumerate(entries, start=1))
    made = Table(
        name=f"deploy-{slug}-table",
        caption=f"Deployment of {title}: UA in % and cost by backend",
        columns=columns,
        alignment="llrrlrrrrrr",
        sections=(Section(rows),),
        data=numbers_table("", "", (), ()).data,
        notes=(
            f"Latency with {window_s:g} s of audio at batch 1, over {rounds} interleaved "
            f"round{'s' if rounds != 1 else ''}; ratio of medians to {measured.reference}, median "
            "over rounds. FPS: such windows per second. MB: 10⁶ bytes of converted files; peak: "
            "of the whole process.",
            "UA: every outer test utterance through the backend, with 95 % interval over "
            "speakers; differences over the same draws.",
        ),
    )
    missing = tuple(
        (row.name, row.precision, row.device, f"{row.outcome}: {row.reason}")
        for row in measured.rows
        if row.outcome != "measured"
    )
    if not missing:
        return [made]
    caption = f"Not measured of {title}, and why"
    names = ("Backend", "Precision", "Device", "Why")
    return [made, numbers_table(f"deploy-{slug}-missing", caption, names, [Section(missing)], 4)]


def _row(number: int, each: _Entry) -> Row:
    score, speed = each.row.accuracy, each.speed
    latency = speed.latency[each.window_s] if speed else None
    delta = NOTHING
    if score and score.delta_ua is not None:
        low, high = score.delta_ua_low or 0.0, score.delta_ua_high or 0.0
        delta = f"{signed(score.delta_ua)} [{signed(low)}, {signed(high)}]"
        delta = signed(score.delta_ua) if low == high else delta
    peak = speed.peak_bytes if speed else None
    return (
        f"{number} {each.row.name}",
        each.row.precision if each.row.device == "cpu" else f"{each.row.precision}, GPU",
        with_interval(Estimate(score.ua, score.ua_low, score.ua_high)) if score else NOTHING,
        delta,
        score.verdict if score else NOTHING,
        f"{1e3 * latency.p50_s:.2f}" if latency else NOTHING,
        f"{1e3 * latency.p99_s:.2f}" if latency else NOTHING,
        f"{latency.ratio.value:.2f}" if latency and latency.ratio else NOTHING,
        f"{speed.fps:.0f}" if speed else NOTHING,
        f"{each.size_mb:.2f}" if each.size_mb is not None else NOTHING,
        f"{peak / MB:.0f}" if peak is not None else NOTHING,
    )
