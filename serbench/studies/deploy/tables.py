"""The deployment study as tables: as the paper's Table 5, and beyond it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from importlib import resources

import pandas as pd

from serbench.results.compare.records import Estimate
from serbench.results.report.tables import NOTHING, Row, Section, Table, signed, with_interval
from serbench.studies.deploy.notes import (
    accuracy_notes,
    deployment_notes,
    footprint_notes,
    latency_notes,
    threads_text,
    warnings,
)
from serbench.studies.deploy.results import ResultRow, Results, Score
from serbench.studies.deploy.study import DeployStudy
from serbench.studies.deploy.timing import Latency, Ratio, Speed, summarize

MB = 1e6
"""Decimal, as file managers and the paper count."""

PAPER = "paper_table5.csv"

Cells = Callable[[ResultRow, "Speed | None"], Row]


def deploy_tables(study: DeployStudy) -> tuple[Table, ...]:
    """Deployment, accuracy, latency, footprint; and what was not measured, where there is any."""
    made = [
        _deployment(study),
        _accuracy(study),
        _latency(study),
        _footprint(study),
        _unmeasured(study),
    ]
    return tuple(table for table in made if table.sections)


def _deployment(study: DeployStudy) -> Table:
    return Table(
        name="deployment",
        caption=f"Deployment of {study.results.run.method} on {study.results.run.dataset}: "
        f"{_seconds(study)} windows per second (FPS) and size by backend",
        columns=(
            "Backend", "Precision", _ratio_title(study), "GFLOPs", "GMACs",
            "M params", "Non-zero", "FPS CPU", "FPS GPU", "MB",
        ),
        alignment="llrrrrrrrr",
        sections=_sections(study, lambda row, speed: _deployment_cells(study, row, speed)),
        data=deploy_data(study),
        notes=deployment_notes(study),
        warnings=warnings(study),
    )  # fmt: skip


def _ratio_title(study: DeployStudy) -> str:
    """Other devices have another reference, which stands in their headings."""
    return "Ratio" if study.imported else f"Ratio to {study.results.reference}"


def _deployment_cells(study: DeployStudy, row: ResultRow, speed: Speed | None) -> Row:
    ours = study.arithmetic
    fps = f"{speed.fps:.1f}" if speed else NOTHING
    on_gpu = row.device == "cuda"
    latency = speed.latency[study.results.settings.effort.window_s] if speed else None
    ratio = _ratio(latency.ratio if latency else None)
    return (
        row.name,
        row.precision,
        ratio if row.outcome == "measured" else row.outcome,
        f"{ours.flops / 1e9:.3g}",
        f"{ours.macs / 1e9:.3g}",
        f"{ours.parameters / 1e6:.3g}",
        f"{ours.nonzero / 1e6:.3g}",
        NOTHING if on_gpu else fps,
        fps if on_gpu else NOTHING,
        _megabytes(row.size_bytes, 2),
    )


def _accuracy(study: DeployStudy) -> Table:
    rows = [row for row in study.results.rows if row.accuracy]
    return Table(
        name="accuracy",
        caption=f"Outer test folds of {study.results.run.dataset} through each backend: "
        "utterance-level UA in %, pooled",
        columns=(
            "Backend", "Precision", "UA", f"ΔUA to {study.results.reference}", "Verdict",
            "Changed", "Posterior Δ",
        ),
        alignment="lllllrr",
        sections=(
            Section(tuple(_accuracy_cells(row, row.accuracy) for row in rows if row.accuracy)),
            *_probe_sections(study),
        ),
        data=deploy_data(study),
        notes=accuracy_notes(study),
    )  # fmt: skip


def _accuracy_cells(row: ResultRow, score: Score) -> Row:
    delta = NOTHING
    if score.delta_ua is not None:
        low, high = score.delta_ua_low or 0.0, score.delta_ua_high or 0.0
        delta = f"{signed(score.delta_ua)} [{signed(low)}, {signed(high)}]"
    return (
        row.name,
        row.precision,
        with_interval(Estimate(score.ua, score.ua_low, score.ua_high)),
        delta,
        score.verdict,
        str(score.changed),
        f"{score.posterior_difference:.1e}" if score.verdict != "reference" else NOTHING,
    )


def _probe_sections(study: DeployStudy) -> Iterator[Section]:
    """Other devices have no corpus: they have heard a bundle's synthetic probes."""
    for results in study.imported:
        rows = tuple(
            (row.name, row.precision, NOTHING, NOTHING, NOTHING, NOTHING,
             f"{row.probe_difference:.1e}")
            for row in results.rows
            if row.probe_difference is not None
        )  # fmt: skip
        if rows:
            yield Section(rows, f"{results.machine.name}: on synthetic probes")


def _latency(study: DeployStudy) -> Table:
    effort = study.results.settings.effort
    ratios = tuple(f"Ratio {each:g} s" for each in effort.lengths_s)
    times = tuple(f"ms, {each:g} s" for each in effort.lengths_s)
    return Table(
        name="latency",
        caption=f"Latency at batch 1 with {threads_text(study.results)}: ratio to "
        f"{study.results.reference}, then p50/p90/p99 in ms",
        columns=("Backend", *ratios, *times),
        alignment="l" + "r" * (len(ratios) + len(times)),
        sections=_sections(study, lambda row, speed: _latency_cells(study, row, speed), measured=1),
        data=deploy_data(study),
        notes=latency_notes(study),
    )


def _latency_cells(study: DeployStudy, row: ResultRow, speed: Speed | None) -> Row:
    effort = study.results.settings.effort
    found = [speed.latency.get(each) if speed else None for each in effort.lengths_s]
    ratios = [
        _ratio(each.ratio if each else None, ranged=length_s == effort.window_s)
        for each, length_s in zip(found, effort.lengths_s, strict=True)
    ]
    return (row.name, *ratios, *(_milliseconds(each) for each in found))


def _footprint(study: DeployStudy) -> Table:
    return Table(
        name="footprint",
        caption=f"Throughput, start and memory with {threads_text(study.results)}",
        columns=(
            "Backend", "FPS", "Best FPS", "Real-time", "Start s", "Cold s", "Peak MB", "Above idle",
        ),
        alignment="lrrrrrrr",
        sections=_sections(study, _footprint_cells, measured=1),
        data=deploy_data(study),
        notes=footprint_notes(study),
    )  # fmt: skip


def _footprint_cells(row: ResultRow, speed: Speed | None) -> Row:
    if speed is None:
        return (row.name, *[NOTHING] * 7)
    above = None
    if speed.peak_bytes is not None and speed.idle_bytes is not None:
        above = speed.peak_bytes - speed.idle_bytes
    return (
        row.name,
        f"{speed.fps:.1f}",
        f"{speed.best_fps:.1f} ({speed.best_batch})",
        f"{speed.real_time_factor:.4f}",
        f"{speed.start_s:.2f}",
        f"{speed.cold_s:.2f}",
        _megabytes(speed.peak_bytes, 0),
        _megabytes(above, 0),
    )


def _unmeasured(study: DeployStudy) -> Table:
    rows = [
        (row.name, row.precision, row.device, f"{row.outcome}: {row.reason}")
        for results in (study.results, *study.imported)
        for row in results.rows
        if row.outcome != "measured"
    ]
    return Table(
        name="unmeasured",
        caption="Backends that were not measured, and why",
        columns=("Backend", "Precision", "Device", "Why"),
        alignment="llll",
        sections=(Section(tuple(rows)),) if rows else (),
        data=deploy_data(study),
    )


def paper_table() -> Table:
    """The paper's Table 5, as it is claimed there."""
    text = resources.files("serbench.studies.deploy").joinpath(PAPER).read_text(encoding="utf-8")
    rows = tuple(tuple(row) for row in csv.reader(text.splitlines()[1:]))
    return Table(
        name="paper",
        caption="Claimed in the paper (Table 5), on other machines and with another student: "
        "not measured here",
        columns=(
            "Framework", "FLOPs (G)", "Params (M)", "FPS (CPU)", "FPS (GPU)", "FPS (Jetson)",
            "Size (MB)",
        ),
        alignment="lrrrrrr",
        sections=(Section(rows),),
        data=pd.DataFrame(rows),
        notes=(
            "As printed there. One network has one number of parameters; in that table it falls "
            "with the runtime, from 25.5 M to 19.8 M. 20.2 M parameters take 81 MB in fp32 and 40 "
            "MB in fp16; ONNX FP32 is given as 65 MB and ONNX FP16 as 64.5 MB. TensorRT FP16 is "
            "slower than FP32 on the GPU.",
        ),
    )  # fmt: skip


def _sections(study: DeployStudy, cells: Cells, measured: int = 0) -> tuple[Section, ...]:
    """This machine's CPU rows, its GPU rows, and those of each other device.

    Args:
        study: the study.
        cells: of a row.
        measured: 1: leave out rows that have no times.
    """
    sections = []
    for results, heading in _machines(study):
        reference = next((r for r in results.rows if r.name == results.reference), None)
        base = reference.rounds if reference else []
        by_device: dict[str, list[Row]] = {}
        for row in results.rows:
            speed = summarize(row.rounds, base, results.settings.effort)
            if speed is not None or not measured:
                by_device.setdefault(row.device, []).append(cells(row, speed))
        if "cpu" in by_device:
            sections.append(Section(tuple(by_device["cpu"]), heading))
        if "cuda" in by_device:
            gpu = f"{heading}, GPU" if heading else "GPU"
            sections.append(Section(tuple(by_device["cuda"]), gpu))
    return tuple(sections)


def _machines(study: DeployStudy) -> Iterator[tuple[Results, str]]:
    yield study.results, ""
    for results in study.imported:
        yield results, f"{results.machine.name}: ratios to {results.reference} there"


def deploy_data(study: DeployStudy) -> pd.DataFrame:
    """Everything as plain numbers, a row for each machine and backend."""
    return pd.DataFrame(
        [_numbers(study, results, row) for results, _ in _machines(study) for row in results.rows]
    )


def _numbers(study: DeployStudy, results: Results, row: ResultRow) -> dict[str, object]:
    ours, score = study.arithmetic, row.accuracy
    base = next((each.rounds for each in results.rows if each.name == results.reference), [])
    speed = summarize(row.rounds, base, results.settings.effort)
    numbers: dict[str, object] = {
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
        **(score.model_dump() if score else dict.fromkeys(Score.model_fields)),
        "probe_difference": row.probe_difference,
    }
    for length_s in study.results.settings.effort.lengths_s:
        numbers |= _latency_numbers(length_s, speed.latency.get(length_s) if speed else None)
    for key in (
        "fps", "best_fps", "best_batch", "real_time_factor", "start_s", "cold_s", "peak_bytes",
        "idle_bytes",
    ):  # fmt: skip
        numbers[key] = getattr(speed, key) if speed else None
    return numbers | {"certificate": study.certificate.digest}


def _latency_numbers(length_s: float, latency: Latency | None) -> dict[str, float | None]:
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


def _ratio(ratio: Ratio | None, *, ranged: bool = True) -> str:
    if ratio is None:
        return NOTHING
    return f"{ratio.value:.2f}" + (f" [{ratio.low:.2f}, {ratio.high:.2f}]" if ranged else "")


def _milliseconds(latency: Latency | None) -> str:
    if latency is None:
        return NOTHING
    return "/".join(_three_digits(1e3 * each) for each in latency.percentiles_s)


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _megabytes(size: float | None, decimals: int) -> str:
    return NOTHING if size is None else f"{size / MB:.{decimals}f}"


def _seconds(study: DeployStudy) -> str:
    return f"{study.results.settings.effort.window_s:g} s"
