"""From split files to findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.api import Corpus
from serbench.checks.audit.audio import Watch, audio_facts, find_audio
from serbench.checks.audit.checks import (
    AudioFacts,
    FoldView,
    check_copies,
    check_coverage,
    check_near,
    check_speakers,
    check_utterances,
    measure_sentences,
)
from serbench.checks.audit.identify import Identified, identify_by_corpus, identify_by_name
from serbench.checks.audit.records import OVER_FOLDS, Audit, Check, Fold
from serbench.checks.audit.rows import PARTS, AuditRow, SplitFile
from serbench.data.corpus.check import scan
from serbench.protocol.splits.groups import natural_key


def audit(
    splits: SplitFile,
    source: Path,
    corpus: Corpus | None,
    corpus_name: str | None,
    data_dir: Path | None,
    cache: Path,
    watch: Watch,
) -> Audit:
    """Run every check that can be run on somebody's splits.

    Args:
        splits: as ``read_splits`` gives them.
        source: where they were read from.
        corpus: whose utterances they are; None: the split files' own columns are used.
        corpus_name: its name in the registry.
        data_dir: a local copy of the corpus, or a folder of audio; nothing is downloaded.
        cache: root of the cache, for fingerprints.
        watch: told of everything that takes long.

    Raises:
        SplitError: the corpus knows none of the names, or columns disagree with it.
        CorpusError: ``data_dir`` is not the corpus, or audio that cannot be read.
    """
    data_dir = data_dir.expanduser().absolute() if data_dir is not None else None
    identified = _identify(splits, corpus, corpus_name, data_dir)
    paths = find_audio(identified.rows, source, data_dir, identified.files)
    audio = audio_facts(identified.rows, paths, cache, watch)
    views = _views(identified)
    folds = tuple(_fold(view, audio) for view in views)
    over = (check_coverage(views, identified),)
    return Audit(
        source=str(source),
        format=splits.format,
        described=splits.described,
        corpus=corpus_name,
        utterances=len({row.utterance for row in identified.rows}),
        speakers_from=identified.speakers_from,
        texts_from=identified.texts_from,
        audio_from=f"{len(paths)} files" if paths else "none",
        leaks=_leaks(folds, over),
        not_checked=_not_checked(folds),
        folds=folds,
        over_folds=over,
        notes=(*splits.notes, *identified.notes, *_validation_note(views)),
    )


def _identify(
    splits: SplitFile, corpus: Corpus | None, name: str | None, data_dir: Path | None
) -> Identified:
    if corpus is None or name is None:
        return identify_by_name(splits.rows)
    records = None
    if data_dir is not None:
        records = scan(corpus, name, data_dir)
    return identify_by_corpus(splits.rows, corpus, name, records)


def _views(identified: Identified) -> list[FoldView]:
    """Folds in the natural order of their names."""
    rows_of: dict[str, list[AuditRow]] = {}
    for row in identified.rows:
        rows_of.setdefault(row.fold, []).append(row)
    return [FoldView(name, rows_of[name]) for name in sorted(rows_of, key=natural_key)]


def _fold(view: FoldView, audio: AudioFacts) -> Fold:
    return Fold(
        name=view.name,
        parts={part: view.side(part) for part in PARTS if view.parts[part]},
        checks=(
            check_speakers(view),
            check_utterances(view),
            check_copies(view, audio),
            check_near(view, audio),
            measure_sentences(view),
        ),
    )


def _leaks(folds: Sequence[Fold], over: Sequence[Check]) -> dict[str, tuple[str, ...]]:
    """By code, the folds that leak; ``OVER_FOLDS`` for what only all of them together show."""
    places: dict[str, list[str]] = {}
    for name, checks in (*((fold.name, fold.checks) for fold in folds), (OVER_FOLDS, over)):
        for check in checks:
            if check.leaks:
                places.setdefault(check.code, []).append(name)
    return {code: tuple(places[code]) for code in sorted(places)}


def _not_checked(folds: Sequence[Fold]) -> dict[str, str]:
    """Why a check was not run, by its code; the first fold's reason."""
    reasons: dict[str, str] = {}
    for check in (check for fold in folds for check in fold.checks):
        if check.outcome.startswith("not run: "):
            reasons.setdefault(check.code, check.outcome.removeprefix("not run: "))
    return reasons


def _validation_note(views: Sequence[FoldView]) -> list[str]:
    without = [view.name for view in views if not view.parts["validation"]]
    if not without:
        return []
    which = "no fold has" if len(without) == len(views) else f"folds {', '.join(without)} have no"
    part = "a validation part" if len(without) == len(views) else "validation part"
    return [
        f"{which} {part}: the best epoch or setting must be chosen within train, on speakers held "
        "out there; chosen on test, or at random within train, scores come out too high"
    ]
