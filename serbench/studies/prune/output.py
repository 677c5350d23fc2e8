"""Pruned students as a table: Markdown, CSV, LaTeX, for a terminal, and beside the figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.files.digests import shown_digest
from serbench.results.compare.records import Difference
from serbench.results.report import render
from serbench.results.report.marks import warning_lines
from serbench.results.report.notes import UNCORRECTED, interval_note
from serbench.results.report.tables import (
    NOTHING,
    Section,
    Table,
    display_name,
    percent,
    signed,
    with_interval,
)
from serbench.results.report.write import write_study
from serbench.studies.prune.figure import prune_figure
from serbench.studies.prune.measure import PruneStudy, Row
from serbench.studies.prune.network import Kind

HEADINGS: Mapping[Kind, str] = {
    "none": "",
    "magnitude": "Magnitude: the smallest weights are 0",
    "heads": "Attention heads taken out",
    "channels": "Channels and hidden units taken out",
}

COLUMNS = (
    "Pruned", "Parameters", "Not 0", "File kB", "zlib kB", "MACs M", "UA", "Δ to unpruned",
    "Not fine-tuned",
)  # fmt: skip


def write_pruning(study: PruneStudy, folder: Path) -> Path:
    """Write ``prune.md``, ``.csv``, ``.tex`` and ``.png`` into ``folder``.

    Returns:
        The path of ``prune.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    figure = prune_figure(study, warnings(study))
    return write_study(prune_table(study), study.certificate.digest, figure, folder)


def prune_table(study: PruneStudy) -> Table:
    """A row for each kind and amount, after the student as the run left it."""
    return Table(
        name="prune",
        caption=title(study),
        columns=COLUMNS,
        alignment="l" + "r" * (len(COLUMNS) - 1),
        sections=tuple(
            Section(tuple(_cells(row) for row in study.of(kind)), HEADINGS[kind])
            for kind in ("none", *study.kinds)
        ),
        data=pd.DataFrame([_numbers(study, row) for row in study.rows]),
        notes=notes(study),
        warnings=warnings(study),
    )


def title(study: PruneStudy) -> str:
    """What the table is."""
    return f"Size and UA in % of {display_name(study.method)} on {study.dataset}, pruned"


def warnings(study: PruneStudy) -> tuple[str, ...]:
    """What must stand under every output."""
    return (*study.notes, *warning_lines([study.certificate]))


def notes(study: PruneStudy) -> tuple[str, ...]:
    """How students were cut and fine-tuned, how sizes were taken, how intervals came about."""
    rates = " or ".join(f"{rate:g}" for rate in study.learning_rates)
    seeds = ", ".join(map(str, study.seeds))
    epochs = f"{study.epochs} epoch" + ("s" if study.epochs > 1 else "")
    return (
        f"The stored student of each of {study.folds} outer folds (seed {seeds}) is cut and then "
        f"fine-tuned for {epochs}, on its fold's own training side, with the method's own loss at "
        f"a learning rate of {rates}; what the loss itself learns begins anew. Not fine-tuned: UA "
        "after the cut alone. The second row is fine-tuned without a cut.",
        *_ways(study),
        "File: safetensors in float32; zlib: the same, compressed. MACs: of matrix products and "
        f"convolutions for a window of {study.window_s:g} s; zeros are multiplied like any other "
        "number.",
        f"{interval_note(study.repeats, study.speakers)} {UNCORRECTED}",
    )


def _ways(study: PruneStudy) -> Iterator[str]:
    """What of the network each kind of cut takes."""
    if study.of("magnitude"):
        yield "Magnitude: the smallest absolute values over all matrices and kernels together."
    taken = [
        f"{kind} of {', '.join(study.groups[kind])}" for kind in ("heads", "channels")
        if study.groups.get(kind)
    ]  # fmt: skip
    if taken:
        yield (
            "Taken out, the same share of each group, those with the smallest L2 norm of all "
            f"weights that go with them: {'; '.join(taken)}."
        )


def row_name(row: Row) -> str:
    """For instance ``25 %``."""
    if row.cut.kind == "none":
        return "nothing, fine-tuned" if row.tuned else "nothing"
    return f"{100 * row.cut.amount:g} %"


def _cells(row: Row) -> tuple[str, ...]:
    size = row.size
    return (
        row_name(row),
        f"{size.parameters:,}",
        f"{size.nonzero:,}",
        f"{size.file_bytes / 1e3:,.0f}",
        f"{size.compressed_bytes / 1e3:,.0f}",
        f"{size.macs / 1e6:.1f}",
        with_interval(row.ua),
        _points(row.difference) if row.difference else NOTHING,
        percent(row.untuned.value) if row.tuned else NOTHING,
    )


def _points(difference: Difference) -> str:
    low, high = signed(difference.low), signed(difference.high)
    return f"{signed(difference.value)} [{low}, {high}]"


def _numbers(study: PruneStudy, row: Row) -> dict[str, object]:
    """One row of the CSV, scores in 0 … 1."""
    difference = row.difference
    return {
        "protocol": study.certificate.protocol,
        "method": study.method,
        "kind": row.cut.kind,
        "amount": row.cut.amount,
        "fine_tuned": row.tuned,
        **asdict(row.size),
        "ua": row.ua.value,
        "ua_low": row.ua.low,
        "ua_high": row.ua.high,
        "delta_ua": difference.value if difference else None,
        "delta_ua_low": difference.low if difference else None,
        "delta_ua_high": difference.high if difference else None,
        "not_fine_tuned_ua": row.untuned.value,
        "not_fine_tuned_ua_low": row.untuned.low,
        "not_fine_tuned_ua_high": row.untuned.high,
    }


def render_pruning(study: PruneStudy) -> RichTable:
    """The table for a terminal."""
    table = render.rich_table(
        escape(title(study)), "", escape(" ".join(notes(study))), warnings(study)
    )
    table.caption = f"{table.caption}\nCertificate {shown_digest(study.certificate.digest)}."
    table.add_column("Pruned", overflow="fold")
    for column in ("Not 0", "kB", "MACs M", "UA %", "Δ", "not tuned"):
        table.add_column(column, justify="right", no_wrap=True)
    for kind in ("none", *study.kinds):
        for row in study.of(kind):
            about = "" if kind == "none" else f"\n[dim]{kind}[/]"
            table.add_row(f"[bold]{row_name(row)}[/]{about}", *_rich_cells(row))
        table.add_section()
    return table


def _rich_cells(row: Row) -> tuple[str, ...]:
    size, difference = row.size, row.difference
    shown = "[dim]reference[/]"
    if difference is not None:
        colour = {"better": "green", "worse": "red"}.get(difference.verdict, "yellow")
        low, high = signed(difference.low), signed(difference.high)
        shown = f"[{colour}]{signed(difference.value)}[/]\n[dim]{low} to {high}[/]"
    return (
        f"{size.nonzero:,}\n[dim]of {size.parameters:,}[/]",
        f"{size.file_bytes / 1e3:,.0f}\n[dim]zlib {size.compressed_bytes / 1e3:,.0f}[/]",
        f"{size.macs / 1e6:.1f}",
        render.rich_estimate(row.ua, bold=True),
        shown,
        percent(row.untuned.value) if row.tuned else NOTHING,
    )
