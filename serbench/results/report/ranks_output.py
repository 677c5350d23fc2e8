"""Ranks over corpora as a table, in files and at a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.files.atomic import write_atomically
from serbench.results.compare.ranks import Ranks, least_p
from serbench.results.report import render
from serbench.results.report.build import unique_slugs
from serbench.results.report.notes import p_value
from serbench.results.report.ranks import Ranking, by_corpus, load_ranking
from serbench.results.report.ranks_figure import ranks_figure
from serbench.results.report.tables import NOTHING, Row, Section, Table, percent
from serbench.results.report.write import check_output, write_combined_report, write_study
from serbench.settings import PROPER

NAME = "ranks"
"""The stem of the files."""


def ranks_table(ranking: Ranking) -> Table:
    """UA and rank of every method on every corpus, its average rank, and its groups.

    Raises:
        StoreError: fewer than two methods can be ranked; the message says why.
    """
    ranks = ranked(ranking)
    corpora = ranking.corpora
    letters = ranks.letters
    rows = tuple(
        (
            method,
            *(f"{percent(ua)} ({rank:g})" for ua, rank in zip(scores, places, strict=True)),
            f"{average:.2f}",
            letters[method],
        )
        for method, scores, places, average in zip(
            ranks.methods, ranks.scores.T, ranks.ranks.T, ranks.average, strict=True
        )
    )
    return Table(
        name=NAME,
        caption=f"Methods over {len(corpora)} corpora: pooled UA in % (rank)",
        columns=("Method", *corpora, "Average rank", "Group"),
        alignment="l" + "r" * (len(corpora) + 1) + "l",
        sections=(Section(rows), *_left_out_section(ranking)),
        data=_data(ranking, ranks),
        notes=notes(ranking, ranks),
        warnings=ranking.warnings,
    )


def ranked(ranking: Ranking) -> Ranks:
    """The ranks, which must be there.

    Raises:
        StoreError: fewer than two methods can be ranked; the message says why.
    """
    if ranking.ranks is None:
        reasons = "; ".join(f"{each.method}: {each.reason}" for each in ranking.left_out)
        raise StoreError(
            f"{', '.join(ranking.corpora)} share fewer than two methods to rank ({reasons}); run "
            "the same methods on each, one run of a method on a corpus"
        )
    return ranking.ranks


def _left_out_section(ranking: Ranking) -> tuple[Section, ...]:
    """UA of the methods that are not ranked, where they were run."""
    rows: list[Row] = []
    for left in ranking.left_out:
        found = (each.ua(left.method) for each in ranking.corpora.values())
        cells = (" / ".join(map(percent, own)) or NOTHING for own in found)
        rows.append((left.method, *cells, NOTHING, NOTHING))
    return (Section(tuple(rows), "Left out of the ranks"),) if rows else ()


def notes(ranking: Ranking, ranks: Ranks) -> tuple[str, ...]:
    """What was tested, what came of it, and who is left out."""
    return (
        "Rank 1 is the best; every corpus counts once. Students only. Methods that share a letter "
        "cannot be told apart.",
        _friedman_note(ranks),
        _nemenyi_note(ranks),
        *_left_out_note(ranking),
    )


def _left_out_note(ranking: Ranking) -> tuple[str, ...]:
    """Who is left out, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for left in ranking.left_out:
        by_reason.setdefault(left.reason, []).append(left.method)
    said = "; ".join(f"{', '.join(methods)} ({why})" for why, methods in by_reason.items())
    return (f"Left out of the ranks: {said}.",) if said else ()


def _friedman_note(ranks: Ranks) -> str:
    found = ranks.friedman
    how = "exact" if found.exact else "sampled"
    f = f"{found.f:.2f}" if math.isfinite(found.f) else "∞"
    said = "the methods differ" if ranks.differ else "no difference can be shown"
    note = (
        f"Friedman's test, ranks permuted within corpora ({how}): p {_equals(found.p)}, {said}. "
        f"Asymptotic, for what they are worth with {len(ranks.corpora)} corpora: "
        f"χ²({found.degrees}) = {found.chi2:.2f}, p {_equals(found.p_chi2)}; Iman and Davenport's "
        f"F({found.f_degrees[0]}, {found.f_degrees[1]}) = {f}, p {_equals(found.p_f)}."
    )
    least = least_p(len(ranks.methods), len(ranks.corpora))
    if least > ranks.alpha:
        note += (
            f" With {len(ranks.corpora)} corpora p is at least {least:.2g}: too few to show "
            "anything."
        )
    return note


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _nemenyi_note(ranks: Ranks) -> str:
    critical = f"{ranks.critical_difference:.2f}"
    after = "" if ranks.differ else ", not used where Friedman's finds nothing"
    return (
        f"Nemenyi's test of all pairs{after}: average ranks that are {critical} apart differ "
        f"(α = {ranks.alpha:g}). Both after Demšar, JMLR 7, 2006."
    )


def _data(ranking: Ranking, ranks: Ranks) -> pd.DataFrame:
    letters = ranks.letters
    return pd.DataFrame(
        [
            {
                "protocol": PROPER,
                "method": method,
                "corpus": corpus,
                "ua": estimate.value,
                "ua_low": estimate.low,
                "ua_high": estimate.high,
                "rank": ranks.ranks[row, column],
                "average_rank": ranks.average[column],
                "group": letters[method],
            }
            for column, method in enumerate(ranks.methods)
            for row, corpus in enumerate(ranks.corpora)
            for estimate in (ranking.corpora[corpus].contenders[method][0].result.pooled["ua"],)
        ]
    )


def write_ranked_report(folders: Sequence[Path], output: Path) -> Path:
    """Write ``ranks.md``, ``.csv``, ``.tex``, ``.html`` and ``.png`` over runs of several corpora
    into ``output``, and the usual report of each corpus into a folder below it.

    Returns:
        The path of ``ranks.md``.

    Raises:
        StoreError: as ``load_ranking``; fewer than two methods can be ranked; ``output`` is the
            folder of a run, or cannot be written.
    """
    check_output(output, ())
    ranking = load_ranking(folders)
    table = ranks_table(ranking)
    page = write_study(table, ranking.certificates, ranks_figure(ranked(ranking)), output)
    places = unique_slugs(ranking.corpora)
    lines = []
    for name, own in by_corpus(folders).items():
        write_combined_report(own, output / f"corpus-{places[name]}")
        lines.append(f"- [{render.escape_markdown(name)}](corpus-{places[name]}/report.md)")
    text = render.markdown(table, f"`{ranking.certificates}`")
    figure = "![Average ranks; methods that a bar joins cannot be told apart](ranks.png)"
    parts = ["# Ranks over corpora", "", text, figure, "", "## Each corpus", "", *lines, ""]
    write_atomically(page, "\n".join(parts).encode())
    return page


def render_ranking(folders: Sequence[Path]) -> RichTable:
    """The ranks for a terminal.

    Raises:
        StoreError: as ``write_ranked_report``.
    """
    table = ranks_table(load_ranking(folders))
    shown = render.rich_table(
        escape(table.caption), "", escape(" ".join(table.notes)), table.warnings
    )
    for title, side in zip(table.columns, table.alignment, strict=True):
        shown.add_column(escape(title), justify="right" if side == "r" else "left")
    for section in table.sections:
        shown.add_section()
        for row in section.rows:
            style = "dim" if section.heading else None
            shown.add_row(*(escape(cell) for cell in row), style=style)
    return shown
