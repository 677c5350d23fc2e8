"""Boards of runs that can be compared: one for each corpus and set of folds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from serbench.errors import SerbenchError
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference, MethodResult
from serbench.results.record import Fact
from serbench.results.report.ranks import (
    Contender,
    CorpusScores,
    Ranking,
    rank_corpora,
    whole_corpus,
)
from serbench.results.report.results import MethodInfo, Results
from serbench.results.site.collect import Collection, ListedRun


@dataclass(frozen=True, slots=True, eq=False)
class BoardLine:
    """A method of a run.

    Attributes:
        method: its name in the run.
        result: its scores.
        difference: difference of UA from the best of its board; None for the best, and if nothing
            is compared.
    """

    entry: ListedRun
    method: str
    result: MethodResult
    difference: Difference | None = None

    @property
    def info(self) -> MethodInfo:
        """More facts about the method."""
        return self.entry.results.methods[self.method]

    @property
    def profile(self) -> str:
        """The profile with which its run was done."""
        return str(self.entry.results.runs[0].plan["profile"])

    @property
    def epochs(self) -> tuple[int, int] | None:
        """Epochs of its refits, fewest and most over folds and seeds; None for an estimator."""
        name = self.info.plan.get("name")
        fits = self.entry.results.runs[0].fits
        own = [int(fit.get("epochs") or 0) for fit in fits
               if fit["method"] == name and fit["inner"] is None]  # fmt: skip
        return (min(own), max(own)) if own and max(own) else None

    @property
    def p(self) -> float | None:
        """The corrected p of the difference; None if there was no test."""
        found = self.difference.significance if self.difference else None
        return found.p_holm if found else None

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Facts about the method from studies of its run."""
        said = (fact for record in self.entry.records for fact in record.facts)
        return tuple(fact for fact in said if fact.method == self.method)

    @property
    def facts_notes(self) -> tuple[str, ...]:
        """Notes on how to read these facts."""
        return tuple(each.facts_note for each in self.entry.records if each.facts_note)


@dataclass(frozen=True, slots=True)
class Board:
    """Runs of one corpus over the same recordings, classes and folds.

    Attributes:
        name: its folds, and a number if the corpus has several boards.
        students: students, the best UA first.
        teachers: teachers with different predictions, each once; the best UA first.
        fault: why the students cannot be compared, if so.
    """

    name: str
    entries: tuple[ListedRun, ...]
    students: tuple[BoardLine, ...]
    teachers: tuple[BoardLine, ...]
    fault: str = ""

    @property
    def results(self) -> Results:
        """Results of its first run; corpus and folds are the same in all runs."""
        return self.entries[0].results

    @property
    def speakers(self) -> int:
        """Number of test speakers."""
        return len(self.results.comparison.speaker_counts)


@dataclass(frozen=True, slots=True)
class CorpusBoards:
    """The boards of a corpus.

    Attributes:
        boards: its boards, those with more runs first.
        leaky: runs with a protocol broken on purpose, which are never ranked or compared.
    """

    name: str
    title: str
    boards: tuple[Board, ...]
    leaky: tuple[ListedRun, ...]

    @property
    def entries(self) -> tuple[ListedRun, ...]:
        """Runs of all boards."""
        return tuple(entry for board in self.boards for entry in board.entries)

    @property
    def some(self) -> Results:
        """Results of any run; corpus and classes are the same in all runs."""
        return (*self.entries, *self.leaky)[0].results


def corpora(collection: Collection) -> tuple[CorpusBoards, ...]:
    """Every corpus by name, with its boards."""
    by_name: dict[str, list[ListedRun]] = {}
    for entry in collection.entries:
        by_name.setdefault(str(entry.results.dataset["name"]), []).append(entry)
    return tuple(_corpus(name, by_name[name]) for name in sorted(by_name))


def _corpus(name: str, entries: Sequence[ListedRun]) -> CorpusBoards:
    grouped: dict[tuple[object, ...], list[ListedRun]] = {}
    for entry in entries:
        if not entry.results.leaky:
            grouped.setdefault(_key(entry.results), []).append(entry)
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    return CorpusBoards(
        name=name,
        title=str(entries[0].results.dataset.get("title", name)),
        boards=tuple(
            _board(_name(own[0].results, number, len(ordered)), own)
            for number, (_, own) in enumerate(ordered, start=1)
        ),
        leaky=tuple(entry for entry in entries if entry.results.leaky),
    )


def _key(results: Results) -> tuple[str, ...]:
    """Everything that must be equal so that runs can share one table."""
    plan = results.runs[0].plan
    return (
        str(plan["dataset"]["corpus_digest"]),
        str(plan["folds_digest"]),
        *map(str, plan["dataset"]["labels"]),
    )


def lines_of(entries: Iterable[ListedRun]) -> tuple[BoardLine, ...]:
    """The trained methods of runs, the best UA first."""
    found = (
        BoardLine(entry, result.method, result)
        for entry in entries
        for result in entry.results.comparison.students
    )
    return tuple(sorted(found, key=_place))


def _place(line: BoardLine) -> tuple[float, str, str]:
    return -line.result.pooled["ua"].value, line.method, line.entry.label


def _name(results: Results, number: int, count: int) -> str:
    """A board's name, for instance ``5 by speaker (paper), set 2``; for a fold file, its name
    without its folder.
    """
    folds = PurePath(str(results.runs[0].plan["folds"])).name
    unit = results.runs[0].certificate.unit
    which = f", set {number}" if count > 1 else ""
    return f"{len(results.outer)} by {unit} ({folds}){which}"


def _board(name: str, entries: Sequence[ListedRun]) -> Board:
    students, fault = lines_of(entries), ""
    if len(students) > 1:
        try:
            students = _compared(students)
        except SerbenchError as error:
            fault = str(error)
    return Board(name, tuple(entries), students, _teachers(entries), fault)


def _compared(lines: Sequence[BoardLine]) -> tuple[BoardLine, ...]:
    """Compare each line with the first on the same utterances, corrected for several comparisons.

    Raises:
        SerbenchError: runs with the same folds digest were not tested on the same utterances.
    """
    names = [f"{line.method} ({line.entry.label})" for line in lines]
    parts = [
        _predictions(line).assign(method=name) for line, name in zip(lines, names, strict=True)
    ]
    first = lines[0].entry.results
    found = comparison(
        pd.concat(parts, ignore_index=True),
        first.comparison.labels,
        names,
        train_counts=first.runs[0].train_counts,
    )
    return tuple(
        BoardLine(line.entry, line.method, result, result.difference)
        for line, result in zip(lines, found.methods, strict=True)
    )


def _predictions(line: BoardLine) -> pd.DataFrame:
    predictions = line.entry.results.runs[0].predictions
    return predictions.loc[predictions["method"] == line.method]


def _teachers(entries: Sequence[ListedRun]) -> tuple[BoardLine, ...]:
    """Teachers of runs; one whose predictions are the same in several runs is listed once."""
    found: dict[tuple[str, str], BoardLine] = {}
    for entry in entries:
        for result in entry.results.comparison.teachers:
            line = BoardLine(entry, result.method, result)
            own = _predictions(line).sort_values(["seed", "utterance"])
            said = "\0".join(map(str, own[["seed", "utterance", "predicted"]].to_numpy().ravel()))
            found.setdefault((result.method, hashlib.sha256(said.encode()).hexdigest()), line)
    return tuple(sorted(found.values(), key=_place))


@dataclass(frozen=True, slots=True)
class Ranked:
    """Methods ranked over corpora.

    Attributes:
        ranking: None if there is nothing to rank.
        chosen: the board of each corpus from which ranks are computed.
        said: why there are no ranks although there are several corpora.
    """

    ranking: Ranking | None
    chosen: tuple[Board, ...]
    said: str = ""


def rank_boards(found: Sequence[CorpusBoards]) -> Ranked:
    """Rank methods over the first board of each whole corpus.

    If a board has a method in several runs, ``CHOICE`` says which of them counts.
    """
    first = [corpus.boards[0] for corpus in found if corpus.boards]
    chosen = tuple(board for board in first if not board.results.dataset.get("subset"))
    if len(chosen) < 2:
        return Ranked(None, chosen)
    try:
        ranking = rank_corpora([_scores(board) for board in chosen])
    except SerbenchError as error:
        return Ranked(None, chosen, f"No ranks: {error}.")
    if ranking.ranks is None:
        return Ranked(None, chosen, "No ranks: no two methods were run on every corpus.")
    return Ranked(ranking, chosen)


CHOICE = (
    "A subset of a corpus is not ranked. If a corpus has several sets of folds, the set with more "
    "runs is ranked. If a method is in several runs, the run with more seeds is ranked, then the "
    "one with more methods, then the one with the lower certificate digest. Scores play no part "
    "in these choices."
)


def _scores(board: Board) -> CorpusScores:
    contenders: dict[str, tuple[Contender, ...]] = {}
    for line in sorted(board.students, key=_preference):
        plan = line.info.plan
        contenders.setdefault(str(plan["name"]), (Contender(line.result, plan),))
    every = [entry.results for entry in board.entries]
    return CorpusScores(
        corpus=str(board.results.dataset["name"]),
        whole=whole_corpus(board.results.dataset),
        digest=str(board.results.dataset["corpus_digest"]),
        contenders=contenders,
        certificates=tuple(each for results in every for each in results.certificates),
        warnings=tuple(dict.fromkeys(line for results in every for line in results.warnings)),
    )


def _preference(line: BoardLine) -> tuple[int, int, str]:
    return -line.result.seeds, -len(line.entry.results.comparison.students), line.entry.digest
