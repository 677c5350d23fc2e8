"""All checks of one corpus, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from serbench.api import Corpus, CorpusCard, SplitError
from serbench.checks.finding import Finding, Findings, Progress, Stopwatch
from serbench.checks.survey import audio, confounding, copies, counts, folds, speakers
from serbench.checks.survey.records import CHECKS, Survey
from serbench.checks.survey.sound import Sound, listen
from serbench.data.corpus.check import lost_files, scan
from serbench.data.corpus.table import CorpusTable, Utterance, make_utterance, table_digest
from serbench.protocol.guard.near.search import near_duplicates


def survey(
    corpus: Corpus,
    name: str,
    folder: Path,
    fold_set: str,
    cache: Path,
    progress: Progress,
    allow_incomplete: bool = False,
) -> Survey:
    """Read every file of a corpus, and look for shortcuts by which scores on it could be reached.

    Args:
        corpus: the plugin.
        name: name of the dataset.
        folder: the result of ``serbench.data.corpus.locate``.
        fold_set: the outer folds to check.
        cache: root of the cache; it keeps near-duplicates.
        progress: called for every file.
        allow_incomplete: files are missing on purpose.

    Raises:
        CorpusError: the folder has no utterances, or its names or labels follow another grammar, so
            that nothing can be checked.
        StoreError: the cache cannot be written.
    """
    records = scan(corpus, name, folder)
    missing = corpus.missing(records)
    lost = lost_files(corpus, name, folder)
    clock = Stopwatch()
    counted = counts.check_counts(corpus.card, records, missing, lost, allow_incomplete)
    found = [clock.lap(counted), clock.lap(counts.check_names(corpus.card, records))]
    sounds, problems = listen(records, partial(progress, "audio"))
    found.append(clock.lap(audio.check_unreadable(problems, len(records))))
    utterances = tuple(make_utterance(r, sounds[r.id]) for r in records if r.id in sounds)
    if utterances:
        table = CorpusTable(name, corpus.card, folder, utterances, table_digest(utterances))
        near = near_duplicates(utterances, cache, partial(progress, "near-duplicates"))
        found.append(clock.lap(copies.check_copies(utterances, near)))
        found += clock.laps(heard(utterances, sounds))
        found += clock.laps(told(table, fold_set))
    order = list(CHECKS)
    found.sort(key=lambda finding: order.index(finding.check))
    findings = Findings(
        command="corpus check",
        subject=name,
        found=tuple(found),
        if_passed="no problem found",
        if_failed="do not trust scores on this corpus before this is resolved",
        facts=_facts(corpus.card, folder, len(records), utterances),
        about={code: why for code, (_, why) in CHECKS.items()},
    )
    return Survey(name, corpus.card, utterances, findings)


def _facts(
    card: CorpusCard, folder: Path, files: int, utterances: Sequence[Utterance]
) -> dict[str, str | int | None]:
    seconds = sum(utterance.duration_s for utterance in utterances)
    return {
        "corpus": card.title,
        "folder": str(folder),
        "utterances": files,
        "not_readable": files - len(utterances) or None,
        "speakers": len({utterance.speaker for utterance in utterances}),
        "classes": f"{len(card.labels)}: {', '.join(card.labels)}",
        "speech": f"{seconds / 60:.1f} min",
        "language": card.language,
        "emotions": card.elicitation,
        "licence": card.licence,
    }


def heard(utterances: Sequence[Utterance], sounds: dict[str, Sound]) -> Iterator[Finding]:
    """Findings that need the files' sound."""
    yield audio.check_durations(utterances, sounds)
    yield audio.check_format(utterances)
    yield audio.check_silence(sounds)
    yield audio.check_margins(utterances, sounds)
    yield audio.check_background(utterances, sounds)
    yield audio.check_clipping(utterances, sounds)
    yield speakers.check_voices(utterances, sounds)


def told(table: CorpusTable, fold_set: str) -> Iterator[Finding]:
    """Findings on speakers, classes, sentences and folds; they need no audio."""
    utterances = table.utterances
    yield confounding.check_speakers(utterances)
    genders = {u.id: u.gender for u in utterances if u.gender is not None}
    if len(set(genders.values())) > 1:
        yield confounding.check_trait("gender-label", "gender", genders, utterances)
    levels = {u.id: u.intensity for u in utterances if u.intensity is not None}
    if len(set(levels.values())) > 1:
        yield confounding.check_trait("intensity-label", "intensity", levels, utterances)
    yield confounding.check_sentences(utterances)
    yield counts.check_balance(table.card, [u.label for u in utterances])
    yield folds.check_units(table)
    try:
        outer = folds.outer_folds(table, fold_set)
    except SplitError as error:
        yield folds.cannot_be_made(fold_set, error)
        return
    yield folds.check_folds(table, fold_set, outer)
    overlap = folds.check_sentence_overlap(table, outer)
    if overlap is not None:
        yield overlap
