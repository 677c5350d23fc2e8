"""Measures UA of a run's students and teachers under every condition, with paired intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from serbench.running.store.run import TEACHER_PREFIX
from serbench.studies.robustness.conditions import CLEAN, Condition
from serbench.studies.robustness.students import ConditionPosteriors, student_readings
from serbench.studies.robustness.teachers import teacher_readings


@dataclass(frozen=True, slots=True)
class ConditionScore:
    """A method under a condition.

    Attributes:
        ua: UA pooled over the outer test folds and seeds.
        difference: difference from the first method under the same condition; None for that method.
    """

    ua: Estimate
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Robustness:
    """Scores of a run's methods under several conditions.

    Attributes:
        dataset: its name.
        planned: all methods of the run, then its teachers.
        methods: students, then ``teacher:NAME``; the first is what others are compared with.
        scores: scores by condition and method.
        mean: scores by method of the mean UA over the noises and levels that are among the
            conditions; empty if fewer than two are.
        clipped: for each condition, the number of clipped samples, and of utterances that have any.
        silent: number of utterances that are silent, so that no noise was added to them.
        notes: notes of the replay.
    """

    dataset: str
    certificate: Certificate
    classes: int
    utterances: int
    speakers: int
    seeds: int
    repeats: int
    conditions: tuple[Condition, ...]
    planned: tuple[str, ...]
    methods: tuple[str, ...]
    scores: Mapping[tuple[Condition, str], ConditionScore]
    mean: Mapping[str, ConditionScore]
    clipped: Mapping[Condition, tuple[int, int]]
    silent: int
    notes: tuple[str, ...]

    @property
    def noises(self) -> tuple[Condition, ...]:
        """The conditions over which the mean is taken."""
        return tuple(condition for condition in self.conditions if condition.is_noise)


def measure_robustness(
    replay: Replay,
    conditions: Sequence[Condition],
    methods: Sequence[str] = (),
    executor: Executor | None = None,
) -> Robustness:
    """Test every student on its own test side, and every teacher on all of them, under conditions.

    Args:
        replay: a finished, speaker-independent run.
        conditions: the result of ``choose_conditions``.
        methods: methods whose students are tested; empty: all. Teachers are always tested.
        executor: where students predict; None: here, one after the other.

    Raises:
        StoreError: the run is leaky, lacks a student, or does not reproduce its predictions under
            ``clean``; a method is unknown.
        CorpusError, TeacherError, SerbenchError: audio, weights or babble are not available.
    """
    replay.check_proper()
    executor = executor or LocalExecutor()
    named = dict.fromkeys(student.method for student in replay.students_of(methods))
    seeds = replay.plan["seeds"]
    students = [each for method in named for each in replay.fold_students(method, seeds)]
    by_name = {student.name: student for student in students}
    readings: dict[tuple[Condition, str], list[ConditionPosteriors]] = {}
    try:
        clean = student_readings(replay, students, [CLEAN], executor, "students on clean audio")
        for (_, name), reading in clean.items():
            replay.check_same(by_name[name], reading.ids, reading.posteriors)
        heard = student_readings(
            replay, students, conditions, executor, "students under conditions"
        )
    finally:
        executor.shut_down()
    for (condition, name), reading in heard.items():
        readings.setdefault((condition, by_name[name].method), []).append(reading)
    for teacher in replay.teachers:
        for condition, _, reading in teacher_readings(replay, teacher, conditions):
            readings.setdefault((condition, TEACHER_PREFIX + teacher), []).append(reading)
    return _robustness(replay, conditions, readings)


def _robustness(
    replay: Replay,
    conditions: Sequence[Condition],
    readings: Mapping[tuple[Condition, str], Sequence[ConditionPosteriors]],
) -> Robustness:
    """Scores of all readings, with the same draws of speakers."""
    table = replay.table
    methods = tuple(dict.fromkeys(method for _, method in readings))
    confusions = {place: _confusions(replay, own) for place, own in readings.items()}
    speakers = len({utterance.speaker for utterance in replay.folds.tested})
    weights = resample_weights(speakers, REPEATS, seed=0)
    values = {place: Drawn.of(stack, weights) for place, stack in confusions.items()}
    noises = [condition for condition in conditions if condition.is_noise]
    means = {
        method: Drawn.mean([values[condition, method] for condition in noises])
        for method in methods
        if len(noises) > 1
    }
    first = methods[0]
    return Robustness(
        dataset=str(replay.plan["dataset"]["name"]),
        certificate=replay.certificate,
        classes=len(table.labels),
        utterances=len(replay.folds.tested),
        speakers=speakers,
        seeds=len(replay.plan["seeds"]),
        repeats=REPEATS,
        conditions=tuple(conditions),
        planned=replay.methods,
        methods=methods,
        scores={
            (condition, method): _score(values[condition, method], values[condition, first])
            for condition in conditions
            for method in methods
        },
        mean={method: _score(own, means[first]) for method, own in means.items()},
        clipped={each: _clipped(readings[each, first]) for each in conditions},
        silent=max(sum(each.silent for each in _one_seed(own)) for own in readings.values()),
        notes=replay.notes,
    )


def _confusions(replay: Replay, readings: Sequence[ConditionPosteriors]) -> NDArray[np.int64]:
    """Confusions ``(S, C, C)`` of a method's speakers, sorted, summed over folds and seeds."""
    ids = [utterance for reading in readings for utterance in reading.ids]
    guessed = np.concatenate([reading.posteriors.argmax(axis=1) for reading in readings])
    speakers = [replay.table.by_id[utterance].speaker for utterance in ids]
    return speaker_confusions(replay.labels_of(ids), guessed, speakers, len(replay.table.labels))


def _score(own: Drawn, first: Drawn) -> ConditionScore:
    """The score ``own``, and its difference from ``first``."""
    return ConditionScore(own.estimate, None if own is first else own.above(first))


def _clipped(readings: Iterable[ConditionPosteriors]) -> tuple[int, int]:
    """Numbers of clipped samples and of utterances that have any, each utterance counted once."""
    own = _one_seed(readings)
    return sum(r.clipped_samples for r in own), sum(r.clipped_utterances for r in own)


def _one_seed(readings: Iterable[ConditionPosteriors]) -> list[ConditionPosteriors]:
    """One reading of each test side: every seed was tested on the same audio."""
    return list({reading.ids: reading for reading in readings}.values())
