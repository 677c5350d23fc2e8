"""The tables of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from serbench.results.compare.names import METHOD
from serbench.results.record import Fact
from serbench.results.report.marks import LEAKS
from serbench.results.report.notes import difference_note, folds_note, interval_note
from serbench.results.site.boards import Board, BoardLine, CorpusBoards
from serbench.results.site.collect import ListedRun, UnlistedRun
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import (
    CODE,
    COUNT,
    DIFFERENCE,
    P_VALUE,
    PARAMETERS,
    SCORE,
    TEXT,
    VERDICT,
    Format,
    percent,
)
from serbench.results.table.table import Table

DIGEST_SHOWN = 12
"""Number of characters of a digest in a table."""

PICKED_NOTE = (
    "Differences are to the method with the highest UA of this table. It was chosen for its score, "
    "so the differences look slightly larger than they are."
)
ORDER_NOTE = (
    "Scores on different corpora cannot be compared. The order of the rows does not show "
    "which differences are significant: the page of each corpus does."
)


Columns = list[Column[BoardLine]]

EPOCHS: Format[tuple[int, int]] = Format(
    lambda pair: str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}–{pair[1]}"
)
SCORES: Columns = [
    Column("UA %", lambda line: line.result.pooled["ua"], SCORE),
    Column("WA %", lambda line: line.result.pooled["wa"], SCORE),
    Column("F1 %", lambda line: line.result.pooled["macro_f1"], SCORE),
]
MODEL: Columns = [
    Column("Student", lambda line: line.info.student, filter=True),
    Column("Parameters", lambda line: line.info.parameters, PARAMETERS),
    Column("Profile", lambda line: line.profile, filter=True),
    Column("Epochs", lambda line: line.epochs, EPOCHS),
    Column("Seeds", lambda line: line.result.seeds, COUNT),
]
CERTIFICATE = Column[BoardLine]("Certificate", lambda line: line.entry.digest[:DIGEST_SHOWN], CODE)
SOURCE: Columns = [CERTIFICATE, Column("Run", lambda line: line.entry.label)]
DIFFERENCES: Columns = [
    Column("ΔUA", lambda line: line.difference, DIFFERENCE),
    Column("p", lambda line: line.p, P_VALUE),
]
FACT: Format[Fact] = Format(lambda fact: fact.text, lambda fact: fact.about, right=False)


class Links:
    """Links from one page to other pages.

    Args:
        runs: path of each run's page below the site, by label; runs without a page are left out.
        corpora: path of each corpus's page, by name.
        up: path from this page to the site's folder, such as ``"../"``.
    """

    def __init__(self, runs: Mapping[str, str], corpora: Mapping[str, str], up: str = "") -> None:
        self.runs = runs
        self.corpora = corpora
        self.up = up

    def run(self, entry: ListedRun) -> str:
        """A link to a run's page; empty if there is none."""
        return f"{self.up}{self.runs[entry.label]}" if entry.label in self.runs else ""

    def corpus(self, name: str) -> str:
        """A link to a corpus's page."""
        return f"{self.up}{self.corpora[name]}"


def _method(links: Links, title: str = "Method") -> Column[BoardLine]:
    """The method's name, with a link to the page of its run."""
    return Column(title, lambda line: line.method, METHOD, link=lambda line: links.run(line.entry))


def _dataset(line: BoardLine) -> str:
    return str(line.entry.results.dataset["name"])


def _facts(lines: Sequence[BoardLine]) -> Columns:
    """Facts about methods from studies, with a column for each title."""
    titles = {fact.title: fact.value is not None for line in lines for fact in line.facts}
    return [
        Column(
            title,
            lambda line, title=title: next((f for f in line.facts if f.title == title), None),
            replace(FACT, right=numbers),
        )
        for title, numbers in titles.items()
    ]


def _fact_notes(lines: Sequence[BoardLine]) -> list[str]:
    return list(dict.fromkeys(note for line in lines for note in line.facts_notes))


def results_table(found: Sequence[CorpusBoards], links: Links) -> Table:
    """Every trained method of all runs except leaky ones."""
    boards = [board for corpus in found for board in corpus.boards]
    folds = {line: board.name for board in boards for line in board.students}
    lines = [*folds]
    columns: Columns = [
        _method(links),
        Column("Corpus", _dataset, link=lambda line: links.corpus(_dataset(line)), filter=True),
        *SCORES[:2],  # F1 is on the page of the corpus, because this table has to fit a screen
        *MODEL,
        Column("Folds", lambda line: folds[line], filter=True),
        *_facts(lines),
        CERTIFICATE,
    ]
    speakers = {board.speakers for board in boards}
    repeats = boards[0].results.comparison.repeats if boards else 0
    note = (
        interval_note(repeats, min(speakers))
        if len(speakers) == 1
        else f"[…]: 95 % CI from {repeats} bootstrap draws of the test speakers."
    )
    grouped = {_heading(corpus): [line for board in corpus.boards for line in board.students]
               for corpus in found}  # fmt: skip
    grouped = {heading: own for heading, own in grouped.items() if own}
    return make_table(
        "results",
        "Every trained method: utterance-level scores, pooled over the outer test folds",
        columns,
        grouped if len(grouped) > 1 else lines,
        notes=(*((note,) if speakers else ()), ORDER_NOTE, *_fact_notes(lines)),
    )


def _heading(corpus: CorpusBoards) -> str:
    return corpus.name if corpus.title == corpus.name else f"{corpus.name}: {corpus.title}"


def corpora_table(found: Sequence[CorpusBoards], links: Links) -> Table:
    """The size of each corpus, its runs and its highest UA."""
    name: Format[CorpusBoards] = Format(
        lambda each: each.name,
        lambda each: "" if each.title == each.name else each.title,
        right=False,
    )
    columns: list[Column[CorpusBoards]] = [
        Column("Corpus", lambda each: each, name, link=lambda each: links.corpus(each.name)),
        Column("Utterances", lambda each: each.some.tested, COUNT),
        Column("Speakers", lambda each: len(each.some.comparison.speaker_counts), COUNT),
        Column("Classes", lambda each: len(each.some.comparison.labels), COUNT),
        Column("Runs", lambda each: len(each.entries), COUNT),
        Column("Sets of folds", lambda each: len(each.boards), COUNT),
        Column("Highest UA %", _best),
    ]
    return make_table("corpora", "Runs on each corpus", columns, found)


def _best(corpus: CorpusBoards) -> str | None:
    lines = [board.students[0] for board in corpus.boards]
    best = max(lines, key=lambda line: line.result.pooled["ua"].value, default=None)
    return f"{percent(best.result.pooled['ua'].value)} {best.method}" if best else None


def board_table(board: Board, name: str, links: Links) -> Table:
    """The methods of runs that can be compared, with the significance of their differences."""
    lines = board.students
    compared = any(line.difference for line in lines)
    verdict = Column[BoardLine]("Verdict", lambda line: _verdict(line, board), VERDICT, filter=True)
    differences = [*DIFFERENCES, verdict] if compared else []
    repeats = board.results.comparison.repeats
    warnings = [line for entry in board.entries for line in entry.results.warnings]
    return make_table(
        name,
        f"Methods on {board.results.dataset['name']}, {board.name}",
        [_method(links), *SCORES, *differences, *MODEL, *_facts(lines), CERTIFICATE],
        lines,
        notes=(
            interval_note(repeats, board.speakers),
            *(_difference_notes(board) if compared else ()),
            *_fact_notes(lines),
        ),
        warnings=(
            *((f"Not compared: {board.fault}.",) if board.fault else ()),
            *dict.fromkeys(warnings),
        ),
    )  # fmt: skip


def _difference_notes(board: Board) -> tuple[str, ...]:
    """Notes on differences."""
    own = board.results
    note = difference_note("UA", len(board.students) - 1, board.speakers, own.comparison.design)
    return tuple(filter(None, (note, folds_note(own), PICKED_NOTE)))


def _verdict(line: BoardLine, board: Board) -> str | None:
    if line.difference:
        return line.difference.verdict
    return "highest UA" if line == board.students[0] else None


def teachers_table(board: Board, name: str, links: Links) -> Table | None:
    """The teachers' own heads on the same folds; None if there is no teacher."""
    if not board.teachers:
        return None
    return make_table(
        name,
        "Teachers, by their own head on the same folds",
        [_method(links, "Teacher"), *SCORES, *SOURCE],
        board.teachers,
        notes=("Teachers are not part of the comparison above. A teacher with the same scores in "
               "several runs is shown once.",),
    )  # fmt: skip


def leaky_table(lines: Sequence[BoardLine], links: Links) -> Table | None:
    """Runs with a protocol broken on purpose; None if there are none."""
    if not lines:
        return None
    protocol = replace(TEXT, detail=lambda name: LEAKS[name])
    columns: Columns = [
        _method(links),
        Column("Corpus", _dataset),
        Column("Protocol", lambda line: line.entry.results.protocol, protocol),
        *SCORES,
        *SOURCE,
    ]
    return make_table(
        "leaky",
        "LEAKY PROTOCOLS: broken on purpose, not for comparison",
        columns,
        lines,
        notes=("These scores show the effect of leaks; see serbench inflation. They are in no "
               "ranking and in no comparison.",),
    )  # fmt: skip


def problems_table(problems: Sequence[UnlistedRun]) -> Table | None:
    """What could not be shown, and why; None if everything could."""
    if not problems:
        return None
    columns: list[Column[UnlistedRun]] = [
        Column("Folder", lambda each: each.label),
        Column("Why", lambda each: each.reason),
    ]
    caption = "Folders that are not listed, or listed in part"
    return make_table("problems", caption, columns, problems)
