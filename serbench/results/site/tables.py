"""The tables of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serbench.results.report.marks import LEAKS
from serbench.results.report.notes import difference_note, interval_note, p_value
from serbench.results.report.tables import display_name, parameter_count, percent, signed
from serbench.results.site.boards import Board, Corpus, Line
from serbench.results.site.cells import (
    EMPTY,
    Cell,
    CellTable,
    Column,
    number,
    plain,
    score,
    titles,
)
from serbench.results.site.collect import Entry, Problem
from serbench.results.site.deployment import LATENCY_NOTE, cost_cells

DIGEST_SHOWN = 12
"""Characters of a digest in a table."""

SCORES = (Column("UA %", numbers=True), Column("WA %", numbers=True), Column("F1 %", numbers=True))
MODEL = (
    Column("Student", filter=True),
    Column("Parameters", numbers=True),
    Column("Seeds", numbers=True),
)
COST = (
    Column("Latency, ms", numbers=True),
    Column("MB", numbers=True),
    Column("Backend"),
)
SOURCE = titles("Certificate", "Run")

PICKED_NOTE = (
    "Differences are to the highest UA of this table. It was picked for its score, so differences "
    "to it look a little larger than they are."
)
ORDER_NOTE = (
    "Scores on different corpora do not compare. Order of rows is no verdict: each corpus's page "
    "says which differences are more than chance."
)


class Links:
    """Where things are, seen from one page.

    Args:
        runs: path of each run's page below the site, by label; a run without one is not there.
        corpora: path of each corpus's page, by name.
        up: from this page to the site's folder, such as ``"../"``.
    """

    def __init__(self, runs: Mapping[str, str], corpora: Mapping[str, str], up: str = "") -> None:
        self.runs = runs
        self.corpora = corpora
        self.up = up

    def run(self, entry: Entry) -> str:
        """To a run's page; empty where there is none."""
        return f"{self.up}{self.runs[entry.label]}" if entry.label in self.runs else ""

    def corpus(self, name: str) -> str:
        """To a corpus's page."""
        return f"{self.up}{self.corpora[name]}"


def _model(line: Line) -> tuple[Cell, Cell, Cell]:
    sizes = line.info.parameters
    size = number(parameter_count(sizes), sizes[1]) if sizes else EMPTY
    return Cell(line.info.student), size, number(str(line.result.seeds), line.result.seeds)


def _scores(line: Line) -> tuple[Cell, Cell, Cell]:
    pooled = line.result.pooled
    return score(pooled["ua"]), score(pooled["wa"]), score(pooled["macro_f1"])


def _source(line: Line) -> tuple[Cell, Cell]:
    digest = Cell(line.entry.digest[:DIGEST_SHOWN], code=True)
    return digest, Cell(line.entry.label, breaks=True)


def results_table(found: Sequence[Corpus], links: Links) -> CellTable:
    """Every trained method of every run but the leaky ones."""
    boards = [board for corpus in found for board in corpus.boards]
    lines = [(board, line) for board in boards for line in board.students]
    deployed = any(line.entry.measured for _, line in lines)
    rows = tuple(
        (
            Cell(line.method, link=links.run(line.entry)),
            Cell(
                str(board.results.dataset["name"]),
                link=links.corpus(str(board.results.dataset["name"])),
            ),
            *_scores(line),
            *_model(line),
            Cell(board.name),
            *(cost_cells(line) if deployed else ()),
            *_source(line),
        )
        for board, line in lines
    )
    speakers = [board.speakers for board in boards]
    repeats = boards[0].results.comparison.repeats if boards else 0
    return CellTable(
        name="results",
        caption="Every trained method: utterance-level scores, pooled over the outer test folds",
        columns=(
            Column("Method"),
            Column("Corpus", filter=True),
            *SCORES,
            *MODEL,
            Column("Folds", filter=True),
            *(COST if deployed else ()),
            *SOURCE,
        ),
        rows=rows,
        notes=(
            *((interval_note(repeats, min(speakers)),) if len(set(speakers)) == 1 else ()),
            *((f"[…]: 95 % interval from {repeats} bootstrap draws of the test speakers.",)
              if len(set(speakers)) > 1 else ()),
            ORDER_NOTE,
            *((LATENCY_NOTE,) if deployed else ()),
        ),
        interactive=True,
    )  # fmt: skip


def corpora_table(found: Sequence[Corpus], links: Links) -> CellTable:
    """What there is of each corpus."""
    rows = []
    for corpus in found:
        entries = [entry for board in corpus.boards for entry in board.entries]
        some = (entries or corpus.leaky)[0].results
        best = max(
            (board.students[0] for board in corpus.boards),
            key=lambda line: line.result.pooled["ua"].value,
            default=None,
        )
        rows.append((
            Cell(corpus.name, "" if corpus.title == corpus.name else corpus.title,
                 links.corpus(corpus.name), breaks=True),
            number(str(some.tested), some.tested),
            number(str(len(some.comparison.speaker_counts)), len(some.comparison.speaker_counts)),
            number(str(len(some.comparison.labels)), len(some.comparison.labels)),
            number(str(len(entries)), len(entries)),
            number(str(len(corpus.boards)), len(corpus.boards)),
            Cell(f"{percent(best.result.pooled['ua'].value)} {best.method}") if best else EMPTY,
        ))  # fmt: skip
    counts = ("Utterances", "Speakers", "Classes", "Runs", "Sets of folds")
    return CellTable(
        name="corpora",
        caption="What was run on each corpus",
        columns=titles("Corpus", *(Column(each, numbers=True) for each in counts), "Highest UA %"),
        rows=tuple(rows),
    )


def board_table(board: Board, name: str, links: Links) -> CellTable:
    """The methods of runs that can be compared, and how sure their differences are."""
    compared = any(line.difference for line in board.students)
    deployed = any(line.entry.measured for line in board.students)
    rows = tuple(
        (
            Cell(line.method, link=links.run(line.entry)),
            *_scores(line),
            *(_difference(line, first=place == 0) if compared else ()),
            *_model(line),
            *(cost_cells(line) if deployed else ()),
            *_source(line),
        )
        for place, line in enumerate(board.students)
    )
    columns = (Column("ΔUA", numbers=True), Column("p", numbers=True))
    verdict = (*columns, Column("Verdict", filter=True)) if compared else ()
    others = len(board.students) - 1
    repeats = board.results.comparison.repeats
    warnings = [line for entry in board.entries for line in entry.results.warnings]
    return CellTable(
        name=name,
        caption=f"Methods on {board.results.dataset['name']}, {board.name}",
        columns=(Column("Method"), *SCORES, *verdict, *MODEL, *(COST if deployed else ()), *SOURCE),
        rows=rows,
        notes=(
            interval_note(repeats, board.speakers),
            *((difference_note("UA", others, board.speakers), PICKED_NOTE) if compared else ()),
            *((LATENCY_NOTE,) if deployed else ()),
        ),
        warnings=(
            *((f"Not compared: {board.fault}.",) if board.fault else ()),
            *dict.fromkeys(warnings),
        ),
        interactive=True,
    )


def _difference(line: Line, *, first: bool) -> tuple[Cell, Cell, Cell]:
    found = line.difference
    if found is None:
        return EMPTY, EMPTY, Cell("highest UA" if first else "–")
    interval = f"[{signed(found.low)}, {signed(found.high)}]"
    p = found.significance.p_holm if found.significance else None
    return (
        number(signed(found.value), found.value, interval),
        number(p_value(p), p) if p is not None else EMPTY,
        Cell(found.verdict),
    )


def teachers_table(board: Board, name: str, links: Links) -> CellTable | None:
    """The teachers' own heads on the same folds; None where there is no teacher."""
    if not board.teachers:
        return None
    rows = tuple(
        (
            Cell(display_name(line.method), link=links.run(line.entry)),
            *_scores(line),
            *_source(line),
        )
        for line in board.teachers
    )
    return CellTable(
        name=name,
        caption="Teachers, by their own head on the same folds",
        columns=(Column("Teacher"), *SCORES, *SOURCE),
        rows=rows,
        notes=("They are not in the comparison above. One that says the same in several runs "
               "stands here once.",),
    )  # fmt: skip


def leaky_table(entries: Sequence[Entry], lines: Sequence[Line], links: Links) -> CellTable | None:
    """Runs that were broken on purpose; None where there are none."""
    if not entries:
        return None
    rows = tuple(
        (
            Cell(line.method, link=links.run(line.entry)),
            Cell(str(line.entry.results.dataset["name"])),
            Cell(line.entry.results.protocol, LEAKS[line.entry.results.protocol]),
            *_scores(line),
            *_source(line),
        )
        for line in lines
    )
    return CellTable(
        name="leaky",
        caption="LEAKY PROTOCOLS: broken on purpose, not for comparison",
        columns=(*titles("Method", "Corpus", "Protocol"), *SCORES, *SOURCE),
        rows=rows,
        notes=("These show what a leak is worth: see serbench inflation. They are in no ranking "
               "and in no comparison.",),
    )  # fmt: skip


def problems_table(problems: Sequence[Problem]) -> CellTable | None:
    """What could not be shown, and why; None where all could."""
    if not problems:
        return None
    return CellTable(
        name="problems",
        caption="Folders that are not listed, or not with all that they hold",
        columns=titles("Folder", "Why"),
        rows=plain([(each.label, each.reason) for each in problems]),
    )
