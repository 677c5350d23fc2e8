"""Measures size and accuracy of a run's students, pruned by several amounts and fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from serbench.api import SerbenchError
from serbench.learning.evaluate import (
    resample_weights,
    speaker_confusions,
)
from serbench.protocol.guard.certificate import Certificate
from serbench.results.compare.drawn import Drawn
from serbench.results.compare.intervals import REPEATS
from serbench.results.compare.records import Difference, Estimate
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench.studies.prune.choices import AMOUNTS, KINDS, STANDARD, UNTOUCHED, Cut, CutKind, Tuning
from serbench.studies.prune.network import Pruner
from serbench.studies.prune.size import Size
from serbench.studies.prune.students import CutPosteriors, Tuner, pruner_of, whole_reading


@dataclass(frozen=True, slots=True)
class PruneRow:
    """A line of the table.

    Attributes:
        cut: ``none`` for the whole student.
        tuned: whether it was fine-tuned; the table has the whole student both ways.
        size: mean size of the students.
        ua: UA pooled over the outer test folds and seeds.
        untuned: the same after the cut, before fine-tuning.
        difference: difference of ``ua`` from that of the run's own student; None for this student
            itself.
    """

    cut: Cut
    tuned: bool
    size: Size
    ua: Estimate
    untuned: Estimate
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Pruning:
    """A method's students at several sizes.

    Attributes:
        dataset, method: names.
        rows: the whole student, the same fine-tuned, then by kind and amount.
        groups: names of the modules that are cut, for each structured kind.
        window_s: length of audio for which multiplications are counted, in seconds.
        epochs, learning_rates: values of the fine-tuning after each cut; several rates if folds
            have chosen several.
        notes: notes of the replay.
    """

    dataset: str
    method: str
    certificate: Certificate
    classes: int
    speakers: int
    seeds: tuple[int, ...]
    folds: int
    repeats: int
    window_s: float
    epochs: int
    learning_rates: tuple[float, ...]
    rows: tuple[PruneRow, ...]
    groups: Mapping[CutKind, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def whole(self) -> PruneRow:
        """The run's own student, which is not fine-tuned again."""
        return self.rows[0]

    def of(self, kind: CutKind) -> tuple[PruneRow, ...]:
        """The rows of a kind, by amount."""
        return tuple(row for row in self.rows if row.cut.kind == kind)

    @property
    def kinds(self) -> tuple[CutKind, ...]:
        """The kinds that were cut."""
        return tuple(kind for kind in KINDS if self.of(kind))


def measure_pruning(
    replay: Replay,
    method: str | None = None,
    kinds: Sequence[CutKind] = (),
    amounts: Sequence[float] = AMOUNTS,
    tuning: Tuning = STANDARD,
    seeds: Sequence[int] = (),
    executor: Executor | None = None,
) -> Pruning:
    """Prune every outer fold's student of a method, fine-tune it there, and score it.

    Args:
        replay: a finished, speaker-independent run.
        method: None: the run's first.
        kinds: the result of ``check_kinds``; empty: all that every student allows.
        amounts: the result of ``check_amounts``.
        tuning: how a pruned student is fine-tuned.
        seeds: seeds of the run; empty: the first.
        executor: where fits are computed; None: here, one after the other.

    Raises:
        StoreError: the run is leaky, lacks a student, or does not reproduce its predictions; a
            method or seed is unknown.
        SerbenchError: a student has nothing of a kind, or an amount removes nothing.
        CorpusError, TeacherError: audio or weights cannot be read.
    """
    replay.check_proper()
    executor = executor or LocalExecutor()
    chosen = replay.fold_networks(method, seeds)
    pruners = {student.name: pruner_of(student) for student in chosen}
    kinds = kinds or allowed_kinds(pruners.values())
    cuts = [UNTOUCHED, *(Cut(kind, amount) for kind in kinds for amount in amounts)]
    pruned = {(cut, name): pruner.cut(cut) for cut in cuts for name, pruner in pruners.items()}
    whole = [whole_reading(replay, student) for student in chosen]
    try:
        found = Tuner(replay, chosen, tuning, executor).readings(pruned)
    finally:
        executor.shut_down()
    readings = {cut: [found[cut, student.name] for student in chosen] for cut in cuts}
    return _study(replay, chosen, pruners, tuning, whole, readings)


def allowed_kinds(pruners: Iterable[Pruner]) -> tuple[CutKind, ...]:
    """The kinds that every student allows.

    Raises:
        SerbenchError: no kind is allowed by all.
    """
    found = [pruner.kinds for pruner in pruners]
    allowed: tuple[CutKind, ...] = tuple(
        kind for kind in KINDS if all(kind in kinds for kinds in found)
    )
    if not allowed:
        raise SerbenchError("the students of this run have nothing in common that can be pruned")
    return allowed


def _study(
    replay: Replay,
    students: Sequence[StoredStudent],
    pruners: Mapping[str, Pruner],
    tuning: Tuning,
    whole: Sequence[CutPosteriors],
    readings: Mapping[Cut, Sequence[CutPosteriors]],
) -> Pruning:
    """Scores of all readings, with the same draws of speakers."""
    speakers = len({utterance.speaker for utterance in replay.folds.tested})
    weights = resample_weights(speakers, REPEATS, seed=0)
    base = _pooled(replay, whole, weights, tuned=True)
    rows = [PruneRow(UNTOUCHED, False, _mean_size(whole), base.estimate, base.estimate, None)]
    for cut, own in readings.items():
        tuned = _pooled(replay, own, weights, tuned=True)
        untuned = _pooled(replay, own, weights, tuned=False).estimate
        rows.append(
            PruneRow(cut, True, _mean_size(own), tuned.estimate, untuned, tuned.above(base))
        )
    settings = [tuning.settings(student.candidate.settings) for student in students]
    groups: dict[CutKind, tuple[str, ...]] = {
        kind: tuple(dict.fromkeys(g.name for each in pruners.values() for g in each.groups(kind)))
        for kind in KINDS
        if any(cut.kind == kind for cut in readings)
    }
    return Pruning(
        dataset=str(replay.plan["dataset"]["name"]),
        method=students[0].method,
        certificate=replay.certificate,
        classes=len(replay.table.labels),
        speakers=speakers,
        seeds=tuple(dict.fromkeys(student.seed for student in students)),
        folds=len(replay.folds.outer),
        repeats=REPEATS,
        window_s=settings[0].segments.window_s,
        epochs=tuning.epochs,
        learning_rates=tuple(sorted({each.training.learning_rate for each in settings})),
        rows=tuple(rows),
        groups=groups,
        notes=replay.notes,
    )


def _pooled(
    replay: Replay, readings: Sequence[CutPosteriors], weights: NDArray[np.int64], *, tuned: bool
) -> Drawn:
    """Pooled UA of all readings, on the test speakers and in each draw of speakers."""
    ids = [utterance for reading in readings for utterance in reading.ids]
    guessed = np.concatenate(
        [(each.posteriors if tuned else each.untuned).argmax(axis=1) for each in readings]
    )
    speakers = [replay.table.by_id[utterance].speaker for utterance in ids]
    labels = replay.labels_of(ids)
    stack = speaker_confusions(labels, guessed, speakers, len(replay.table.labels))
    return Drawn.of(stack, weights)


def _mean_size(readings: Sequence[CutPosteriors]) -> Size:
    """Mean size over students, rounded: zeros and bytes differ a little from fold to fold."""
    means = {
        each.name: round(float(np.mean([getattr(r.size, each.name) for r in readings])))
        for each in fields(Size)
    }
    return Size(**means)
