"""Runs all checks on split files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from serbench.api import Corpus
from serbench.checks.audit.audio import audio_facts, find_audio
from serbench.checks.audit.checks import (
    ABOUT,
    FoldView,
    check_coverage,
    check_fold,
    check_spelling,
)
from serbench.checks.audit.identify import Identified, identify_by_corpus, identify_by_name
from serbench.checks.audit.rows import PARTS, AuditRow, Part, SplitFile
from serbench.checks.finding import Finding, Findings, Progress, Stopwatch
from serbench.data.corpus.check import scan
from serbench.protocol.spelling import NOUNS, Respelled, respelled
from serbench.protocol.splits.groups import natural_key
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT
from serbench.results.table.table import Table

SHORT: dict[Part, str] = {"train": "train", "validation": "val", "test": "test"}


def audit(
    splits: SplitFile,
    source: Path,
    corpus: Corpus | None,
    corpus_name: str | None,
    data_dir: Path | None,
    cache: Path,
    progress: Progress,
    known_as: str | None = None,
) -> Findings:
    """Run every check that is possible on any splits.

    Args:
        splits: the result of ``read_splits``.
        source: the file or folder that they were read from.
        corpus: the utterances' corpus; None: the split files' own columns are used.
        corpus_name: its name in the registry.
        data_dir: a local copy of the corpus, or a folder of audio; nothing is downloaded.
        cache: root of the cache, for fingerprints.
        progress: called for every long step.
        known_as: the dataset with such names, if no corpus was named.

    Raises:
        SplitError: the corpus does not have any of the names, or columns contradict it.
        CorpusError: ``data_dir`` is not the corpus, or audio cannot be read.
    """
    data_dir = data_dir.expanduser().absolute() if data_dir is not None else None
    if corpus is None or corpus_name is None:
        identified = identify_by_name(splits.rows)
    else:
        records = scan(corpus, corpus_name, data_dir) if data_dir is not None else None
        identified = identify_by_corpus(splits.rows, corpus, corpus_name, records)
    identified, spellings = _in_one_spelling(identified, corpus.card.different if corpus else {})
    paths = find_audio(identified.rows, source, data_dir, identified.files)
    audio = audio_facts(identified.rows, paths, cache, progress)
    folds = _folds(identified)
    clock = Stopwatch()
    found = [each for fold in folds for each in clock.laps(check_fold(fold, audio))]
    found += clock.laps(check_spelling(spellings))
    found += clock.laps(check_coverage(folds, identified))
    return Findings(
        command="audit",
        subject=str(source),
        found=tuple(sorted(found, key=lambda each: each.check)),
        if_passed="no leak found",
        if_failed="the splits leak",
        facts={
            "source": str(source),
            "format": splits.format,
            "read_as": splits.described,
            "corpus": corpus_name,
            "folds": len(folds),
            **_identified_facts(identified),
            "audio_from": f"{len(paths)} files" if paths else "none",
        },
        about=ABOUT,
        tables=(fold_table(folds, found),),
        remarks=(*splits.notes, *identified.notes, *_remarks(identified, known_as, folds)),
    )


def _identified_facts(identified: Identified) -> dict[str, str | int | None]:
    return {
        "utterances": len({row.utterance for row in identified.rows}),
        "speakers_from": identified.speakers_from,
        "sentences_from": identified.texts_from,
    }


def _in_one_spelling(
    identified: Identified, different: Mapping[str, Sequence[str]]
) -> tuple[Identified, tuple[Respelled, ...]]:
    """Rows with each name in its most frequent spelling, and the names that have several
    spellings.
    """
    once = {(row.utterance, row.speaker, row.session, row.text): row for row in identified.rows}
    found = respelled(once.values(), different)
    usual = {(each.kind, name): each.usual for each in found for name in each.counts}

    def one(row: AuditRow) -> AuditRow:
        told = {kind: getattr(row, kind) for kind in NOUNS}
        return replace(row, **{kind: usual.get((kind, name), name) for kind, name in told.items()})

    rows = tuple(map(one, identified.rows)) if found else identified.rows
    return replace(identified, rows=rows), found


def fold_table(folds: Sequence[FoldView], found: Sequence[Finding]) -> Table:
    """A row for each fold: utterances and speakers of each part, and one word per check."""
    parts: list[Part] = [part for part in PARTS if any(fold.parts[part] for fold in folds)]
    columns: list[Column[FoldView]] = [
        Column("Fold", lambda fold: fold.name, key="fold"),
        *(column for part in parts for column in _part_columns(part)),
        Column("Speakers", lambda fold: "/".join(_speakers(fold, part) for part in parts)),
        *(_check_column(check, found) for check in ABOUT),
    ]
    notes = ["; ".join(f"{code}: {what}" for code, what in ABOUT.items())]
    return make_table("folds", "Folds", columns, folds, notes=notes)


def _part_columns(part: Part) -> list[Column[FoldView]]:
    """A column of utterances; in the JSON also of speakers and sessions, if all are known."""
    return [
        Column(SHORT[part], lambda fold: len(fold.parts[part]), COUNT, key=part),
        Column("", lambda fold: fold.count(part, "speaker"), COUNT, key=f"{part}_speakers"),
        Column("", lambda fold: fold.count(part, "session"), COUNT, key=f"{part}_sessions"),
    ]


def _check_column(check: str, found: Sequence[Finding]) -> Column[FoldView]:
    return Column(check, lambda fold: _word(fold, check, found))


def _folds(identified: Identified) -> list[FoldView]:
    """The folds in the natural order of their names."""
    rows_of: dict[str, list[AuditRow]] = {}
    for row in identified.rows:
        rows_of.setdefault(row.fold, []).append(row)
    return [FoldView(name, rows_of[name]) for name in sorted(rows_of, key=natural_key)]


def _remarks(identified: Identified, known_as: str | None, folds: Sequence[FoldView]) -> list[str]:
    return [*_names_remark(identified, known_as), *_validation_remark(folds)]


def _names_remark(identified: Identified, known_as: str | None) -> list[str]:
    if known_as is None or all(row.speaker for row in identified.rows):
        return []
    return [f"These are names of {known_as}: give --corpus {known_as}, which knows the speakers."]


def _validation_remark(folds: Sequence[FoldView]) -> list[str]:
    without = [fold.name for fold in folds if not fold.parts["validation"]]
    if not without:
        return []
    which = "No fold has" if len(without) == len(folds) else f"Folds {', '.join(without)} have no"
    part = "a validation part" if len(without) == len(folds) else "validation part"
    return [
        f"{which} {part}: choose the best epoch or setting within train, on held-out speakers. "
        "A choice on test, or on utterances taken at random from train, makes scores too high."
    ]


def _speakers(fold: FoldView, part: Part) -> str:
    count = fold.count(part, "speaker")
    return "?" if count is None else str(count)


def _word(fold: FoldView, check: str, found: Sequence[Finding]) -> str:
    """A check's outcome in a word: ``passed``, ``failed 3``, ``50 %`` or ``not run``."""
    own = [each for each in found if each.check == check and each.fold == fold.name]
    for each in own:
        if "share" in each.numbers:
            return f"{100 * each.numbers['share']:.0f} %"
    # A speaker that is in all three parts counts as one speaker.
    leaks = {unit.name for each in own if each.outcome == "failed" for unit in each.units}
    if leaks:
        return f"failed {len(leaks)}"
    return "not run" if any(each.outcome == "not run" for each in own) else "passed"
