"""Shows ranks over corpora as a table and a diagram, in files and on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from serbench.api import StoreError
from serbench.files.atomic import write_text
from serbench.results.compare.ranks import Ranks, least_p
from serbench.results.figure.figure import Diagram, Figure, Panel
from serbench.results.report.build import unique_slugs
from serbench.results.report.ranks import LeftOut, Ranking, by_corpus, load_ranking
from serbench.results.report.write import check_output, write_report, write_table
from serbench.results.table.columns import Column, bounds, make_table, text_section
from serbench.results.table.files import markdown
from serbench.results.table.formats import NOTHING, TEXT, number, p_value, percent
from serbench.results.table.table import Record, Table
from serbench.results.templating import escape_markdown
from serbench.settings import PROPER

NAME = "ranks"
"""The stem of the files' names."""


def ranks_table(ranking: Ranking) -> Table:
    """UA and rank of every method on every corpus, its average rank, and its groups.

    Raises:
        StoreError: fewer than two methods can be ranked; the message says why.
    """
    ranks, letters = ranked(ranking), ranked(ranking).letters
    columns: list[Column[int]] = [
        Column("Method", lambda at: ranks.methods[at]),
        *(
            Column(
                corpus,
                lambda at, row=row: f"{percent(ranks.scores[row, at])} ({ranks.ranks[row, at]:g})",
                replace(TEXT, right=True),
            )
            for row, corpus in enumerate(ranks.corpora)
        ),
        Column("Average rank", lambda at: float(ranks.average[at]), number(".2f")),
        Column("Group", lambda at: letters[ranks.methods[at]]),
    ]
    table = make_table(
        NAME,
        f"Methods over {len(ranking.corpora)} corpora: pooled UA in % (rank)",
        columns,
        range(len(ranks.methods)),
        records=_records(ranking, ranks),
        notes=notes(ranking, ranks),
        warnings=ranking.warnings,
        certificates=ranking.certificates,
    )
    if not ranking.left_out:
        return table
    rows = [_left_out(ranking, left) for left in ranking.left_out]
    return replace(table, sections=(*table.sections, text_section(rows, "Left out of the ranks")))


def ranked(ranking: Ranking) -> Ranks:
    """The ranks of a ranking that must have them.

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


def _left_out(ranking: Ranking, left: LeftOut) -> tuple[str, ...]:
    """UA of a method that is not ranked, on each corpus on which it was run."""
    found = (each.ua(left.method) for each in ranking.corpora.values())
    cells = (" / ".join(map(percent, own)) or NOTHING for own in found)
    return (left.method, *cells, NOTHING, NOTHING)


def notes(ranking: Ranking, ranks: Ranks) -> tuple[str, ...]:
    """What was tested, with which result, and which methods are left out."""
    return (
        "Rank 1 is the best; every corpus counts once. Students only. Methods that share a letter "
        "do not differ significantly. p is about the methods on other corpora.",
        _friedman_note(ranks),
        _nemenyi_note(ranks),
        *_left_out_note(ranking),
    )


def _left_out_note(ranking: Ranking) -> tuple[str, ...]:
    """Which methods are left out; those with the same reason are named together."""
    by_reason: dict[str, list[str]] = {}
    for left in ranking.left_out:
        by_reason.setdefault(left.reason, []).append(left.method)
    said = "; ".join(f"{', '.join(methods)} ({why})" for why, methods in by_reason.items())
    return (f"Left out of the ranks: {said}.",) if said else ()


def _friedman_note(ranks: Ranks) -> str:
    found = ranks.friedman
    how = "exact" if found.exact else "sampled"
    f = f"{found.f:.2f}" if math.isfinite(found.f) else "∞"
    said = "the methods differ" if ranks.differ else "no significant difference"
    note = (
        f"Friedman's test, ranks permuted within corpora ({how}): p {_equals(found.p)}, {said}. "
        f"Asymptotic values, which are only rough with {len(ranks.corpora)} corpora: "
        f"χ²({found.degrees}) = {found.chi2:.2f}, p {_equals(found.p_chi2)}; Iman and Davenport's "
        f"F({found.f_degrees[0]}, {found.f_degrees[1]}) = {f}, p {_equals(found.p_f)}."
    )
    least = least_p(len(ranks.methods), len(ranks.corpora))
    if least > ranks.alpha:
        note += (
            f" With {len(ranks.corpora)} corpora p is at least {least:.2g}: too few to show "
            "a difference."
        )
    return note


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _nemenyi_note(ranks: Ranks) -> str:
    critical = f"{ranks.critical_difference:.2f}"
    after = "" if ranks.differ else ", not used because Friedman's finds no difference"
    return (
        f"Nemenyi's test of all pairs{after}: average ranks differ if they are at least "
        f"{critical} apart (α = {ranks.alpha:g}). Both after Demšar, JMLR 7, 2006."
    )


def _records(ranking: Ranking, ranks: Ranks) -> list[Record]:
    letters = ranks.letters
    return [
        {
            "protocol": PROPER,
            "method": method,
            "corpus": corpus,
            **bounds("ua", ranking.corpora[corpus].contenders[method][0].result.pooled["ua"]),
            "rank": float(ranks.ranks[row, column]),
            "average_rank": float(ranks.average[column]),
            "group": letters[method],
        }
        for column, method in enumerate(ranks.methods)
        for row, corpus in enumerate(ranks.corpora)
    ]


def ranks_figure(ranks: Ranks) -> Figure:
    """The critical-difference diagram, rank 1 on the left, described for screen readers."""
    places = {method: place for place, method in enumerate(ranks.methods)}
    said = ", ".join(
        f"{method} {rank:.2f}"
        for method, rank in zip(ranks.methods, ranks.average.tolist(), strict=True)
    )
    groups = "; ".join(", ".join(group) for group in ranks.groups if len(group) > 1)
    apart = f"No significant difference: {groups}." if groups else "All differ significantly."
    plot = Diagram(
        names=tuple(ranks.methods),
        ranks=tuple(map(float, ranks.average)),
        groups=tuple((places[group[0]], places[group[-1]]) for group in ranks.groups),
        critical=float(ranks.critical_difference),
    )
    return Figure(
        name="ranks",
        caption=f"Average ranks over {len(ranks.corpora)} corpora, by pooled UA; methods that a "
        "bar joins do not differ significantly",
        panels=(
            Panel(
                plot,
                description=f"{said}. Critical difference {ranks.critical_difference:.2f}. {apart}",
            ),
        ),
    )


def write_ranked_report(folders: Sequence[Path], output: Path) -> tuple[Path, Table]:
    """Write ``ranks.md``, ``.csv``, ``.tex``, ``.html`` and ``.png`` over runs of several corpora
    into ``output``, and the usual report of each corpus into a folder below it.

    Returns:
        The path of ``ranks.md``, and the table.

    Raises:
        StoreError: see ``load_ranking``; fewer than two methods can be ranked; ``output`` is the
            folder of a run, or cannot be written.
    """
    check_output(output, ())
    ranking = load_ranking(folders)
    table = ranks_table(ranking)
    page = write_table(table, ranks_figure(ranked(ranking)), output)
    places = unique_slugs(ranking.corpora)
    lines = []
    for name, own in by_corpus(folders).items():
        write_report(own, output / f"corpus-{places[name]}")
        lines.append(f"- [{escape_markdown(name)}](corpus-{places[name]}/report.md)")
    figure = "![Average ranks; methods that a bar joins do not differ significantly](ranks.png)"
    parts = ["# Ranks over corpora", "", markdown(table), figure, "", "## Each corpus", "", *lines]
    write_text(page, "\n".join([*parts, ""]))
    return page, table
