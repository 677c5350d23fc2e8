"""The texts of the site's pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from serbench.errors import listed, numbered
from serbench.files.digests import shown_digest
from serbench.results.compare.ranks import Ranks
from serbench.results.figure.figure import Figure
from serbench.results.figure.palette import style_of
from serbench.results.pages.page import page
from serbench.results.report.ranks_output import ranks_figure, ranks_table
from serbench.results.report.scores import forest_panel, forest_row, p_equals
from serbench.results.site.boards import CHOICE, Board, CorpusBoards, Ranked, lines_of
from serbench.results.site.collect import UnlistedRun
from serbench.results.site.tables import (
    Links,
    board_table,
    corpora_table,
    leaky_table,
    problems_table,
    results_table,
    teachers_table,
)
from serbench.results.table.formats import interval_text
from serbench.results.table.table import Table

PLOTTED = 12
"""Number of methods that a plot shows: those with the highest UA."""


def index_page(
    found: Sequence[CorpusBoards],
    ranked: Ranked,
    problems: Sequence[UnlistedRun],
    links: Links,
    data: str,
) -> str:
    """Make the first page.

    Args:
        found: every corpus.
        ranked: methods ranked over them.
        problems: what is not listed.
        links: links from the site's folder.
        data: file with the same rows as JSON.
    """
    leaky = lines_of(entry for corpus in found for entry in corpus.leaky)
    ranking = ranked.ranking
    ranks = ranking.ranks if ranking else None
    return page(
        "Leaderboard",
        "index.html.j2",
        summary=_summary(found),
        data=data,
        diagram=ranks_figure(ranks) if ranks and ranks.differ else None,
        alike=_alike(ranks) if ranks and not ranks.differ else "",
        ranks=ranks_table(ranking) if ranking and ranks else None,
        chosen=[CHOICE, *map(_chosen, ranked.chosen)],
        unranked=ranked.said,
        corpora=corpora_table(found, links),
        results=results_table(found, links),
        leaky=leaky_table(leaky, links),
        problems=problems_table(problems),
    )


def _alike(ranks: Ranks) -> str:
    return (
        "No significant difference between the methods over these corpora (Friedman's test, "
        f"{p_equals(ranks.friedman.p)}), so no critical-difference diagram is shown."
    )


def _summary(found: Sequence[CorpusBoards]) -> str:
    boards = [board for corpus in found for board in corpus.boards]
    runs = sum(len(board.entries) for board in boards)
    methods = sum(len(board.students) for board in boards)
    return f"{numbered(methods, 'trained method')} of {numbered(runs, 'run')} on {_corpora(found)}."


def _corpora(found: Sequence[CorpusBoards]) -> str:
    return "1 corpus" if len(found) == 1 else f"{len(found)} corpora"


def _chosen(board: Board) -> str:
    name = board.results.dataset["name"]
    digest = shown_digest(board.results.runs[0].plan["folds_digest"])
    return f"{name}: {board.name}, folds digest {digest}, {numbered(len(board.entries), 'run')}."


@dataclass(frozen=True, slots=True)
class BoardPart:
    """A board as its corpus's page shows it.

    Attributes:
        name: its anchor.
        figure: UA with intervals; None if there is only one method.
    """

    name: str
    title: str
    facts: list[tuple[str, str]]
    figure: Figure | None
    table: Table
    teachers: Table | None


def corpus_page(corpus: CorpusBoards, links: Links) -> str:
    """Make the page of a corpus; ``links`` start from that page."""
    parts = [
        _board_part(board, f"folds-{number}", links)
        for number, board in enumerate(corpus.boards, start=1)
    ]
    leaky = leaky_table(lines_of(corpus.leaky), links)
    return page(
        f"Leaderboard: {corpus.name}",
        "corpus.html.j2",
        summary=_about(corpus),
        home=f"{links.up}index.html",
        boards=parts,
        leaky=leaky,
    )


def _about(corpus: CorpusBoards) -> str:
    named = "" if corpus.title == corpus.name else f"{corpus.title}. "
    count = len(corpus.boards)
    if count < 2:
        return f"{named}Runs over the same recordings, classes and folds."
    return (
        f"{named}{count} sets of runs with different recordings, classes or folds. Their scores "
        "cannot be compared, so each set has its own table."
    )


def _board_part(board: Board, name: str, links: Links) -> BoardPart:
    return BoardPart(
        name=name,
        title=f"Folds: {board.name}",
        facts=_facts(board),
        figure=_figure(board, name) if len(board.students) > 1 else None,
        table=board_table(board, f"{name}-methods", links),
        teachers=teachers_table(board, f"{name}-teachers", links),
    )


def _facts(board: Board) -> list[tuple[str, str]]:
    plan = board.results.runs[0].plan
    return [
        ("Utterances", str(board.results.tested)),
        ("Speakers", str(board.speakers)),
        ("Classes", ", ".join(board.results.comparison.labels)),
        ("Runs", listed([entry.label for entry in board.entries], 10)),
        ("Corpus digest", str(plan["dataset"]["corpus_digest"])),
        ("Folds digest", str(plan["folds_digest"])),
    ]


def _figure(board: Board, name: str) -> Figure:
    """UA of the best methods, each with its interval."""
    named = Counter(line.method for line in board.students)
    rows = []
    for line in board.students[:PLOTTED]:
        ua = line.result.pooled["ua"]
        run = f" ({line.entry.label})" if named[line.method] > 1 else ""
        rows.append(forest_row(f"{line.method}{run}", ua, style_of(0), interval_text(ua)))
    most = f": the {PLOTTED} highest" if len(board.students) > PLOTTED else ""
    return Figure(
        name=f"{name}-plot",
        caption=f"UA in % with 95 % CI{most}",
        panels=(forest_panel(rows, "UA in %"),),
    )
