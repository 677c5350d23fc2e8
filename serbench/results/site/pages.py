"""The pages of the site as text."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

from serbench.results.pages.charts.forest import ForestRow, forest
from serbench.results.pages.charts.svg import SPRITE, style_of
from serbench.results.pages.pages import page
from serbench.results.report.ranks_output import ranks_table
from serbench.results.report.tables import percent
from serbench.results.site.boards import CHOICE, Board, Corpus, Ranked, lines_of
from serbench.results.site.cells import CellTable
from serbench.results.site.collect import Problem
from serbench.results.site.diagram import ranks_svg
from serbench.results.site.tables import (
    Links,
    board_table,
    corpora_table,
    leaky_table,
    problems_table,
    results_table,
    teachers_table,
)

PACKAGE = "serbench.results.site"

PLOTTED = 12
"""Methods that a plot shows: those with the highest UA."""


def index_page(
    found: Sequence[Corpus],
    ranked: Ranked,
    problems: Sequence[Problem],
    links: Links,
    data: str,
) -> str:
    """The first page.

    Args:
        found: every corpus.
        ranked: methods over them.
        problems: what is not listed.
        links: from the site's folder.
        data: file with the same rows as JSON.
    """
    leaky = [entry for corpus in found for entry in corpus.leaky]
    tables = {
        "corpora": corpora_table(found, links),
        "results": results_table(found, links),
        "leaky": leaky_table(leaky, lines_of(leaky), links),
        "problems": problems_table(problems),
    }
    ranking = ranked.ranking
    ranks = ranking.ranks if ranking else None
    return page(
        "Leaderboard",
        "index.html.j2",
        package=PACKAGE,
        more_css=_style(),
        summary=_summary(found),
        data=data,
        diagram=ranks_svg(ranks) if ranks else None,
        ranks=ranks_table(ranking) if ranking and ranks else None,
        chosen=[CHOICE, *map(_chosen, ranked.chosen)],
        unranked=ranked.said,
        **tables,
    )


@functools.cache
def _style() -> Markup:
    """What these pages add to the stylesheet of all."""
    text = resources.files(PACKAGE).joinpath("style.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file


def _summary(found: Sequence[Corpus]) -> str:
    boards = [board for corpus in found for board in corpus.boards]
    runs = sum(len(board.entries) for board in boards)
    methods = sum(len(board.students) for board in boards)
    return f"{_count(methods, 'trained method')} of {_count(runs, 'run')} on {_corpora(found)}."


def _corpora(found: Sequence[Corpus]) -> str:
    return "1 corpus" if len(found) == 1 else f"{len(found)} corpora"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _chosen(board: Board) -> str:
    name, digest = board.results.dataset["name"], str(board.results.runs[0].plan["folds_digest"])
    return f"{name}: {board.name}, folds digest {digest[:12]}, {_count(len(board.entries), 'run')}."


@dataclass(frozen=True, slots=True)
class BoardPart:
    """A board as its corpus's page shows it.

    Attributes:
        name: its anchor.
        plot: UA with intervals; None where there is a single method.
    """

    name: str
    title: str
    facts: list[tuple[str, str]]
    plot: Markup | None
    plot_caption: str
    table: CellTable
    teachers: CellTable | None


def corpus_page(corpus: Corpus, links: Links) -> str:
    """The page of a corpus; ``links`` lead from there."""
    parts = [
        _board_part(board, f"folds-{number}", links)
        for number, board in enumerate(corpus.boards, start=1)
    ]
    leaky = leaky_table(corpus.leaky, lines_of(corpus.leaky), links)
    return page(
        f"Leaderboard: {corpus.name}",
        "corpus.html.j2",
        package=PACKAGE,
        more_css=_style(),
        summary=_about(corpus),
        home=f"{links.up}index.html",
        sprite=SPRITE,
        boards=parts,
        leaky=leaky,
    )


def _about(corpus: Corpus) -> str:
    named = "" if corpus.title == corpus.name else f"{corpus.title}. "
    count = len(corpus.boards)
    if count < 2:
        return f"{named}Runs over the same recordings, classes and folds."
    return (
        f"{named}{count} sets of runs that differ in recordings, classes or folds: their scores "
        "do not compare, so each has a table of its own."
    )


def _board_part(board: Board, name: str, links: Links) -> BoardPart:
    shown = board.students[:PLOTTED]
    most = f": the {PLOTTED} highest" if len(board.students) > PLOTTED else ""
    caption = f"UA in % with 95 % interval{most}"
    return BoardPart(
        name=name,
        title=f"Folds: {board.name}",
        facts=_facts(board),
        plot=_plot(board, name, caption, len(shown)) if len(shown) > 1 else None,
        plot_caption=caption,
        table=board_table(board, f"{name}-methods", links),
        teachers=teachers_table(board, f"{name}-teachers", links),
    )


def _facts(board: Board) -> list[tuple[str, str]]:
    plan = board.results.runs[0].plan
    return [
        ("Utterances", str(board.results.tested)),
        ("Speakers", str(board.speakers)),
        ("Classes", ", ".join(board.results.comparison.labels)),
        ("Runs", str(len(board.entries))),
        ("Corpus digest", str(plan["dataset"]["corpus_digest"])),
        ("Folds digest", str(plan["folds_digest"])),
    ]


def _plot(board: Board, name: str, caption: str, count: int) -> Markup:
    """UA of the best, each with its interval."""
    named = Counter(line.method for line in board.students)
    rows = []
    for line in board.students[:count]:
        ua = line.result.pooled["ua"]
        run = f" ({line.entry.label})" if named[line.method] > 1 else ""
        rows.append(
            ForestRow(
                label=f"{line.method}{run}",
                said=f"{percent(ua.value)} [{percent(ua.low)}, {percent(ua.high)}]",
                value=100 * ua.value,
                low=100 * ua.low,
                high=100 * ua.high,
                style=style_of(0),
            )
        )
    said = "; ".join(f"{row.label} {row.said}" for row in rows)
    return forest(f"{name}-plot", caption, f"{said}.", rows, "UA in %")
