"""A deployment as tables: as the paper's Table 5, and more."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

from serbench.results.table.columns import Column, make_table, section, text_table
from serbench.results.table.formats import COUNT, TEXT, Format, Interval, number, ranged
from serbench.results.table.table import Record, Table
from serbench.studies.deploy.entries import (
    FPS,
    MB,
    PEAK,
    SIZE,
    DeploymentEntry,
    entries_of,
    score_columns,
    unmeasured_table,
)
from serbench.studies.deploy.measure import Deployment
from serbench.studies.deploy.notes import (
    accuracy_notes,
    deployment_notes,
    footprint_notes,
    latency_notes,
    threads_text,
)
from serbench.studies.deploy.results import BackendScore, DeployResults
from serbench.studies.deploy.timing import Latency, Ratio

PAPER = "paper_table5.csv"

Groups = dict[str, list[DeploymentEntry]]

RATIO = ranged(lambda value: f"{value:.2f}")
BARE_RATIO: Format[Interval] = Format(RATIO.text)
RATIO_OR_OUTCOME: Format[Ratio | str] = Format(
    lambda found: found if isinstance(found, str) else RATIO.text(found),
    lambda found: "" if isinstance(found, str) else RATIO.detail(found),
)

PRECISION: Column[DeploymentEntry] = Column(
    "Precision", lambda each: each.row.precision, console="below"
)


def deploy_tables(found: Deployment) -> tuple[Table, ...]:
    """Tables of deployment, accuracy, latency and footprint, and of anything not measured."""
    groups = dict(_groups(found))
    timed = {head: [e for e in part if e.speed] for head, part in groups.items()}
    every = [each for results, _ in _machines(found) for each in entries_of(results)]
    made = [
        _deployment(found, groups),
        _accuracy(found),
        _latency(found, timed),
        _footprint(found, timed),
        unmeasured_table(every, "Backends that were not measured, and why"),
    ]
    return tuple(table for table in made if table.sections)


def _groups(found: Deployment) -> Iterator[tuple[str, list[DeploymentEntry]]]:
    """Rows by heading: this machine's CPU rows, its GPU rows, and those of each other device."""
    for results, heading in _machines(found):
        entries = entries_of(results)
        yield heading, [each for each in entries if each.row.device == "cpu"]
        gpu = f"{heading}, GPU" if heading else "GPU"
        yield gpu, [each for each in entries if each.row.device == "cuda"]


def _machines(found: Deployment) -> Iterator[tuple[DeployResults, str]]:
    yield found.results, ""
    for results in found.imported:
        yield results, f"{results.machine.name}: ratios to {results.reference} there"


def _deployment(found: Deployment, groups: Groups) -> Table:
    ours, run = found.arithmetic, found.results.run
    giga, mega = number(".3g", 1e-9), number(".3g", 1e-6)
    # Other devices have another reference, which is named in their headings.
    title = "Ratio" if found.imported else f"Ratio to {found.results.reference}"
    columns: list[Column[DeploymentEntry]] = [
        Column("Backend", lambda each: each.row.name),
        PRECISION,
        Column(title, _ratio_or_outcome, RATIO_OR_OUTCOME),
        Column("GFLOPs", lambda _: ours.flops, giga, short="GFLOPs\nGMACs"),
        Column("GMACs", lambda _: ours.macs, giga, console="below"),
        Column("M params", lambda _: ours.parameters, mega, short="M params\nnon-zero"),
        Column("Non-zero", lambda _: ours.nonzero, mega, console="below"),
        *(
            Column(
                f"FPS {name}",
                lambda each, device=device: (
                    each.speed.fps if each.speed and each.row.device == device else None
                ),
                number(".1f"),
            )
            for name, device in (("CPU", "cpu"), ("GPU", "cuda"))
        ),
        SIZE,
    ]
    return make_table(
        "deployment",
        f"Deployment of {run.method} on {run.dataset}: "
        f"{found.results.settings.effort.window_s:g} s windows per second (FPS) and size by "
        "backend",
        columns,
        groups,
        records=deploy_records(found),
        notes=(*deployment_notes(found), *found.notes),
    )


def _ratio_or_outcome(each: DeploymentEntry) -> Ratio | str | None:
    if each.row.outcome != "measured":
        return each.row.outcome
    return each.latency.ratio if each.latency else None


def _accuracy(found: Deployment) -> Table:
    """The accuracy of each backend. Other devices have no corpus: there, models receive a bundle's
    synthetic probes.
    """
    columns: list[Column[DeploymentEntry]] = [
        Column("Backend", lambda each: each.row.name),
        PRECISION,
        *score_columns(found.results.reference),
        Column("Changed", lambda each: each.row.accuracy and each.row.accuracy.changed, COUNT),
        Column("Posterior Δ", _posterior_difference, number(".1e")),
    ]
    table = make_table(
        "accuracy",
        f"Outer test folds of {found.results.run.dataset} through each backend: "
        "utterance-level UA in %, pooled",
        columns,
        [each for each in entries_of(found.results) if each.row.accuracy],
        notes=accuracy_notes(found),
    )
    elsewhere = [
        section(columns, probed, f"{results.machine.name}: on synthetic probes")
        for results in found.imported
        if (probed := [e for e in entries_of(results) if e.row.probe_difference is not None])
    ]
    return replace(table, sections=(*table.sections, *elsewhere))


def _posterior_difference(each: DeploymentEntry) -> float | None:
    score = each.row.accuracy
    if score is None:
        return each.row.probe_difference
    return score.posterior_difference if score.verdict != "reference" else None


def _latency(found: Deployment, groups: Groups) -> Table:
    effort = found.results.settings.effort
    columns: list[Column[DeploymentEntry]] = [Column("Backend", lambda each: each.row.name)]
    for length_s in effort.lengths_s:
        columns += _at_length(length_s, RATIO if length_s == effort.window_s else BARE_RATIO)
    return make_table(
        "latency",
        f"Latency at batch 1 with {threads_text(found.results)}: ratio to "
        f"{found.results.reference}, then p50/p90/p99 in ms",
        columns,
        groups,
        notes=latency_notes(found),
    )


def _at_length(length_s: float, shown: Format[Interval]) -> list[Column[DeploymentEntry]]:
    """Columns of latencies with audio of one length."""

    def at(each: DeploymentEntry) -> Latency | None:
        return each.speed.latency.get(length_s) if each.speed else None

    def ratio(each: DeploymentEntry) -> Ratio | None:
        latency = at(each)
        return latency.ratio if latency else None

    return [
        Column(f"Ratio {length_s:g} s", ratio, shown),
        Column(f"ms, {length_s:g} s", at, Format(_milliseconds), console="below"),
    ]


def _milliseconds(latency: Latency) -> str:
    return "/".join(_three_digits(1e3 * each) for each in latency.percentiles_s)


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _footprint(found: Deployment, groups: Groups) -> Table:
    two = number(".2f")
    columns: list[Column[DeploymentEntry]] = [
        Column("Backend", lambda each: each.row.name),
        FPS,
        Column(
            "Best FPS",
            lambda each: each.speed and f"{each.speed.best_fps:.1f} ({each.speed.best_batch})",
            replace(TEXT, right=True),
        ),
        Column("Real-time", lambda each: each.speed and each.speed.real_time_factor, number(".4f")),
        Column("Start s", lambda each: each.speed and each.speed.start_s, two),
        Column("Cold s", lambda each: each.speed and each.speed.cold_s, two),
        PEAK,
        Column("Above idle", _above_idle, number(".0f", 1 / MB)),
    ]
    return make_table(
        "footprint",
        f"Throughput, start and memory with {threads_text(found.results)}",
        columns,
        groups,
        notes=footprint_notes(found),
    )


def _above_idle(each: DeploymentEntry) -> float | None:
    speed = each.speed
    if speed is None or speed.peak_bytes is None or speed.idle_bytes is None:
        return None
    return speed.peak_bytes - speed.idle_bytes


def paper_table() -> Table:
    """The paper's Table 5, with the numbers that the paper claims."""
    text = resources.files("serbench.studies.deploy").joinpath(PAPER).read_text(encoding="utf-8")
    titles = (
        "Framework", "FLOPs (G)", "Params (M)", "FPS (CPU)", "FPS (GPU)", "FPS (Jetson)",
        "Size (MB)",
    )  # fmt: skip
    return text_table(
        "paper",
        "Claimed in the paper (Table 5), on other machines and with another student: "
        "not measured here",
        titles,
        list(csv.reader(text.splitlines()[1:])),
        right=titles[1:],
        notes=(
            "Values as printed in the paper. One network has one number of parameters, but in "
            "that table the number falls with the runtime, from 25.5 M to 19.8 M. 20.2 M "
            "parameters take 81 MB in fp32 and 40 MB in fp16; the table gives 65 MB for ONNX "
            "FP32 and 64.5 MB for ONNX FP16. TensorRT FP16 is slower than FP32 on the GPU.",
        ),
    )


def deploy_records(found: Deployment) -> list[Record]:
    """Everything as plain numbers, one row for each machine and backend."""
    return [
        _numbers(found, results, each)
        for results, _ in _machines(found)
        for each in entries_of(results)
    ]


def _numbers(found: Deployment, results: DeployResults, each: DeploymentEntry) -> Record:
    ours, row, speed = found.arithmetic, each.row, each.speed
    numbers: Record = {
        "machine": results.machine.name,
        "backend": row.name,
        "precision": row.precision,
        "device": row.device,
        "outcome": row.outcome,
        "reason": row.reason,
        "reference": results.reference,
        "threads": results.settings.threads,
        "rounds": results.settings.rounds,
        "flops": ours.flops,
        "macs": ours.macs,
        "front_end_flops": ours.front_end_flops,
        "parameters": ours.parameters,
        "nonzero_parameters": ours.nonzero,
        "size_bytes": row.size_bytes,
        **(row.accuracy.model_dump() if row.accuracy else dict.fromkeys(BackendScore.model_fields)),
        "probe_difference": row.probe_difference,
    }
    for length_s in found.results.settings.effort.lengths_s:
        numbers |= _latency_numbers(length_s, speed.latency.get(length_s) if speed else None)
    for key in (
        "fps", "best_fps", "best_batch", "real_time_factor", "start_s", "cold_s", "peak_bytes",
        "idle_bytes",
    ):  # fmt: skip
        numbers[key] = getattr(speed, key) if speed else None
    return numbers


def _latency_numbers(length_s: float, latency: Latency | None) -> Record:
    prefix = f"latency_{length_s:g}s"
    ratio = latency.ratio if latency else None
    return {
        f"{prefix}_p50_s": latency.p50_s if latency else None,
        f"{prefix}_p90_s": latency.p90_s if latency else None,
        f"{prefix}_p99_s": latency.p99_s if latency else None,
        f"{prefix}_ratio": ratio.value if ratio else None,
        f"{prefix}_ratio_low": ratio.low if ratio else None,
        f"{prefix}_ratio_high": ratio.high if ratio else None,
    }
