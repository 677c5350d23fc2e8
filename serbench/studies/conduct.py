"""Runs a study on finished runs, and writes its files, its record and its tables."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from serbench.errors import PluginError
from serbench.files.atomic import write_text
from serbench.files.paths import below
from serbench.results.figure.figure import Figure
from serbench.results.record import KIND, NAME, SCHEMA_VERSION, StudyRecord, write_record
from serbench.results.report.marks import mark, warning_lines
from serbench.results.report.write import check_output, write_figure
from serbench.results.table.console import console_table
from serbench.results.table.files import markdown, table_texts
from serbench.results.templating import escape_markdown
from serbench.studies.opened import Opened, Watching
from serbench.studies.study import Instead, M, P, Shown, Study

CLAIMED = "## Published claims, for comparison"

CLAIMED_BY = "none: these figures were not measured here"
"""Shown instead of a certificate."""


def conduct(
    study: Study[P, M],
    params: P,
    opened: Opened,
    output: Path | None,
    console: Console,
    watching: Watching,
) -> None:
    """Measure, write everything into ``output``, and print the tables.

    Args:
        study: the study to conduct.
        params: its options.
        opened: the runs.
        output: a folder, made if needed; None: nothing is written.
        console: where tables and sentences go.
        watching: shows progress.

    Raises:
        StoreError: ``output`` is the folder of a run, or a file cannot be written.
        PluginError: something that was asked for by name has failed; everything else is written.
        SerbenchError: see ``study.measure``.
    """
    if output:
        check_output(output, ())
    with opened.watched(watching) if study.replays else nullcontext():
        found = study.measure(opened, params)
    if isinstance(found, Instead):
        _say(console, *found.lines)
        return
    shown = marked(study.show(found, params))
    if output:
        _write(study, params, opened, shown, output)
    _print(console, shown)
    if output:
        _say(console, f"Written: {output / study.name}.md")
    if shown.failure:
        raise PluginError(shown.failure)


def record_of(
    study: Study[P, M], params: object, runs: tuple[str, ...], shown: Shown
) -> StudyRecord:
    """Make the record of a study, which has everything that a page shows of it.

    Args:
        study: the study.
        params: an instance of ``study.params``.
        runs: names of the runs.
        shown: the findings, as ``marked`` returns them.
    """
    return StudyRecord(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        study=study.name,
        title=shown.heading or study.title,
        version=version("serbench"),
        params={f.name: _plain(getattr(params, f.name)) for f in dataclasses.fields(study.params)},
        runs=runs,
        certificates=tuple(each.digest for each in shown.certificates),
        lines=shown.lines,
        tables=tuple(replace(table, records=()) for table in shown.tables),
        figures=shown.figures,
        facts=shown.facts,
        facts_note=shown.facts_note,
    )


def marked(shown: Shown) -> Shown:
    """Add what every output must show: the mark of a leaky run, warnings, certificates."""
    digests = tuple(each.digest for each in shown.certificates)
    warnings = warning_lines(shown.certificates)
    # If there are several runs, the study itself says which of them are leaky.
    leak = mark(shown.certificates[0].protocol) if len(digests) == 1 else ""
    return replace(
        shown,
        title=f"{leak}. {shown.title}" if leak else shown.title,
        tables=tuple(
            replace(
                table,
                caption=f"{leak}. {table.caption}" if leak else table.caption,
                warnings=(*table.warnings, *warnings),
                certificates=digests,
            )
            for table in shown.tables
        ),
        figures=tuple(
            replace(figure, alarm=leak or figure.alarm, warnings=(*figure.warnings, *warnings))
            for figure in shown.figures
        ),
    )


def _write(study: Study[P, M], params: object, opened: Opened, shown: Shown, folder: Path) -> None:
    """
    Raises:
        StoreError: a file cannot be written.
    """
    name = study.name
    texts = table_texts(shown.tables) if shown.tables else {}
    texts = {f"{name}{suffix}": text for suffix, text in texts.items()}
    texts[f"{name}.md"] = _page(name, shown)
    for path, text in {**texts, **shown.files}.items():
        write_text(below(folder, path), text)
    for file, figure in _figure_files(name, shown).items():
        write_figure(below(folder, file), figure)
    runs = tuple(each.resolve().name for each in opened.folders)
    write_record(record_of(study, params, runs, shown), folder / NAME)


def _figure_files(name: str, shown: Shown) -> dict[str, Figure]:
    """Figures by the names of their files."""
    names = [
        name if number == 0 else f"{name}-{each.name}" for number, each in enumerate(shown.figures)
    ]
    return {f"{file}.png": figure for file, figure in zip(names, shown.figures, strict=True)}


def _page(name: str, shown: Shown) -> str:
    """The text of ``NAME.md``: sentences, figures, tables, and links to the other files."""
    lines = [f"- {escape_markdown(line)}" for line in shown.lines]
    figures = [
        f"![{escape_markdown(figure.caption)}]({file})"
        for file, figure in _figure_files(name, shown).items()
    ]
    parts = [f"# {escape_markdown(shown.title)}", *(["\n".join(lines)] if lines else []), *figures]
    parts += [markdown(table) for table in shown.tables]
    if shown.claims:
        parts += [CLAIMED, *(markdown(table, CLAIMED_BY) for table in shown.claims)]
    if shown.files:
        parts.append(f"Other files: {', '.join(f'[{file}]({file})' for file in shown.files)}.")
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _print(console: Console, shown: Shown) -> None:
    """Print sentences and tables, and warnings only once, under the first table."""
    _say(console, *shown.lines)
    for number, table in enumerate(shown.tables):
        console.print(console_table(table if number == 0 else replace(table, warnings=())))


def _say(console: Console, *lines: str) -> None:
    """Print lines unchanged, without wrapping them to the width of the terminal."""
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _plain(value: object) -> object:
    """The value with types that JSON has."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
