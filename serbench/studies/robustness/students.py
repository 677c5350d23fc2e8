"""Posteriors of a run's students under conditions: one job for each condition and outer fold.

Workers keep each student's posteriors as soon as they have them, so that a stopped command
continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, Backend, FrontEnd
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.files.source import core_digest, package_digest
from serbench.learning.extract import frames_by
from serbench.learning.features import Frames
from serbench.learning.front_ends import Extractor
from serbench.learning.segments import Segment
from serbench.running.executors.executor import Executor
from serbench.running.harness.code import FIT, backend_identity
from serbench.running.plan.records import describe_candidate, digest_of
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent, predict_windows
from serbench.running.store.cache import FitCache, FitRecord
from serbench.studies.robustness.conditions import Condition
from serbench.studies.robustness.perturb import Perturbed, Voices, perturb, voices_of

CODE = tuple(f"studies/robustness/{name}.py" for name in ("noise", "channel", "perturb"))
"""Modules that decide the effect of a condition."""


@dataclass(frozen=True, eq=False)
class ConditionPosteriors:
    """Posteriors of one model for one outer test side under a condition.

    Attributes:
        ids: the U utterances.
        posteriors: ``(U, C)`` float32.
        clipped_samples: number of clipped samples of all its utterances together.
        clipped_utterances: number of utterances that have a clipped sample.
        silent: number of utterances that are silent, so that no noise was added.
    """

    ids: tuple[str, ...]
    posteriors: NDArray[np.float32]
    clipped_samples: int = 0
    clipped_utterances: int = 0
    silent: int = 0


@dataclass(frozen=True)
class FoldJob:
    """Students of one outer fold that are to be tested under one condition.

    Attributes:
        utterances: the fold's test side.
        students: each with its address in the cache and the windows of its test side.
    """

    condition: Condition
    utterances: tuple[Utterance, ...]
    voices: Voices
    students: tuple[tuple[StoredStudent, str, tuple[Segment, ...]], ...]
    backend: Backend
    device: torch.device
    cache: Path


def student_readings(
    replay: Replay,
    students: Sequence[StoredStudent],
    conditions: Sequence[Condition],
    executor: Executor,
    stage: str,
) -> dict[tuple[Condition, str], ConditionPosteriors]:
    """Posteriors of every student for its own test side, by condition and the student's name.

    Args:
        replay: the run.
        students: students of the run.
        conditions: conditions; those in the cache are not computed again.
        executor: where students predict.
        stage: name of the stage for the progress.

    Raises:
        StoreError: a student's weights are damaged or do not fit its code.
        CorpusError: an audio file can no longer be read.
        SerbenchError: babble cannot be made.
    """
    cache = FitCache(replay.cache, "robustness")
    keys = _addresses(replay, students, conditions)
    kept = {place: entry for place, key in keys.items() if (entry := cache.get(key))}
    missing = {place: key for place, key in keys.items() if place not in kept}
    jobs = _jobs(replay, students, missing)
    done = len(kept)
    replay.watch.advance(stage, done, len(keys))
    for _, count in executor.each_call(hear_fold, jobs):
        done += count
        replay.watch.advance(stage, done, len(keys))
    return {place: _reading(kept.get(place) or cache.written(key)) for place, key in keys.items()}


def hear_fold(job: FoldJob) -> int:
    """Perturb a fold's test side, and keep each student's posteriors for it.

    Returns:
        The number of students.
    """
    cache = FitCache(job.cache, "robustness")
    heard = [perturb(utterance, job.condition, job.voices) for utterance in job.utterances]
    ids = tuple(utterance.id for utterance in job.utterances)
    frames: dict[FrontEnd, Frames] = {}
    for student, key, segments in job.students:
        front_end = student.candidate.front_end
        if front_end not in frames:
            frames[front_end] = _frames(ids, heard, front_end)
        said, posteriors = predict_windows(
            student, frames[front_end], segments, job.backend, job.device
        )
        facts = {
            "ids": list(said),
            "clipped_samples": sum(each.clipped for each in heard),
            "clipped_utterances": sum(each.clipped > 0 for each in heard),
            "silent": sum(each.silent for each in heard),
        }
        cache.put(key, facts, {"posteriors": posteriors})
        student.release()
    return len(job.students)


def _frames(ids: tuple[str, ...], heard: Sequence[Perturbed], front_end: FrontEnd) -> Frames:
    """Frames of perturbed utterances."""
    extract = Extractor(front_end)
    pieces = [extract(each.waveform) for each in heard]
    count = np.array([len(piece) for piece in pieces], dtype=np.int64)
    return frames_by(front_end, ids, np.concatenate(pieces), count, digest="")


def _jobs(
    replay: Replay,
    students: Sequence[StoredStudent],
    missing: Mapping[tuple[Condition, str], str],
) -> list[FoldJob]:
    """One job for each condition and fold that has students without kept posteriors."""
    table, outer = replay.table, replay.folds.outer
    backend = replay.stored.backend()
    named = {student.name: student for student in students}
    windows = {name: replay.segments(named[name]) for _, name in missing}
    voices = [voices_of(split, table) for split in outer]
    grouped: dict[tuple[Condition, int], list[tuple[StoredStudent, str]]] = {}
    for (condition, name), key in missing.items():
        grouped.setdefault((condition, named[name].outer), []).append((named[name], key))
    return [
        FoldJob(
            condition=condition,
            utterances=tuple(table.by_id[i] for i in outer[fold - 1].test.ids),
            voices=voices[fold - 1] if condition.family == "babble" else {},
            students=tuple((each, key, windows[each.name]) for each, key in members),
            backend=backend,
            device=replay.device,
            cache=replay.cache,
        )
        for (condition, fold), members in grouped.items()
    ]


def _addresses(
    replay: Replay, students: Sequence[StoredStudent], conditions: Sequence[Condition]
) -> dict[tuple[Condition, str], str]:
    """Addresses of students' posteriors in the cache: digests of everything that determines
    them.
    """
    shared = {
        "audio": audio_digest(replay.table),
        "backend": backend_identity(replay.stored.backend()),
        "device": replay.device.type,
        "torch": torch.__version__,
        "code": core_digest((*CODE, *FIT)),
    }
    addresses = {}
    for student in students:
        own = {
            "weights": student.weights_digest,
            "test": list(replay.folds.outer[student.outer - 1].test.ids),
            "candidate": describe_candidate(student.candidate),
            "student code": package_digest(type(student.candidate.student)),
            "front end code": package_digest(type(student.candidate.front_end)),
            "front end model": student.candidate.front_end.model_digest,
        }
        for condition in conditions:
            heard = condition_identity(replay, condition)
            addresses[condition, student.name] = digest_of({**shared, **own, **heard})
    return addresses


def condition_identity(replay: Replay, condition: Condition) -> dict[str, str]:
    """What determines a condition's audio besides the corpus's audio; for babble, the folds too."""
    folds = {"folds": str(replay.plan["folds_digest"])} if condition.family == "babble" else {}
    return {"condition": condition.name, "sample rate": str(SAMPLE_RATE_HZ), **folds}


def audio_digest(table: CorpusTable) -> str:
    """Digest of all recordings of a corpus, and of the speaker of each."""
    return digest_of([[u.id, u.speaker, u.pcm_sha256, u.duration_s] for u in table.utterances])


def _reading(entry: FitRecord) -> ConditionPosteriors:
    """The posteriors in a record of the cache."""
    facts = dict(entry.json)
    reading = ConditionPosteriors(tuple(facts.pop("ids")), entry.arrays["posteriors"])
    return replace(reading, **facts)
