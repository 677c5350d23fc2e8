"""A run's teachers under conditions: perturbed audio through frozen encoders, then the heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from serbench.api import StoreError, Teacher, TeacherError
from serbench.data.corpus.table import Utterance
from serbench.files.source import core_digest
from serbench.learning.teach.embed import batches, embedding_key
from serbench.running.plan.records import digest_of
from serbench.running.replay.run import Replay
from serbench.running.replay.students import TOLERANCE
from serbench.running.store.cache import FitCache
from serbench.running.store.run import TEACHER_PREFIX
from serbench.studies.robustness.conditions import CLEAN, Condition
from serbench.studies.robustness.perturb import Voices, perturb, voices_of
from serbench.studies.robustness.students import CODE, ConditionPosteriors, condition_identity

Pooled = NDArray[np.float32]


def teacher_readings(
    replay: Replay, name: str, conditions: Sequence[Condition]
) -> Iterator[tuple[Condition, int, ConditionPosteriors]]:
    """Posteriors of a teacher's own heads for each outer test side, as condition, fold (from 1),
    reading.

    Raises:
        StoreError: the teacher's weights are not the run's, or it does not reproduce the run's
            predictions under ``clean``.
        TeacherError: the weights cannot be loaded, or an embedding is not finite.
        CorpusError, SerbenchError: see ``perturb``.
    """
    listener = Listener(replay, name, replay.teacher(name), len(conditions))
    place = {utterance.id: row for row, utterance in enumerate(replay.folds.tested)}
    for condition in conditions:
        pooled = listener.pooled(condition)
        for fold, split in enumerate(replay.folds.outer, start=1):
            logits = replay.teacher_head(name, fold).predict(
                pooled[[place[utterance] for utterance in split.test.ids]]
            )
            reading = ConditionPosteriors(
                split.test.ids, softmax(logits, axis=1).astype(np.float32)
            )
            if condition == CLEAN:
                check_teacher(replay, name, fold, reading)
            yield condition, fold, reading


def check_teacher(replay: Replay, name: str, fold: int, reading: ConditionPosteriors) -> None:
    """
    Raises:
        StoreError: a teacher does not reproduce the run's posteriors on clean audio.
    """
    kept = replay.stored_posteriors(TEACHER_PREFIX + name, fold, seed=0)
    gap = float(np.abs(kept.reindex(list(reading.ids)).to_numpy() - reading.posteriors).max())
    if not gap <= TOLERANCE:  # also if a row is missing
        raise StoreError(
            f"teacher {name}, outer fold {fold}, does not reproduce the run's posteriors on clean "
            f"audio: they differ by up to {gap:.3g}, and another machine explains {TOLERANCE:g} "
            "at most. Its code has changed since, or a file of the run was changed (`serbench "
            "verify` says which)"
        )


@dataclass
class Listener:
    """Computes a teacher's embeddings of all tested utterances, under one condition after another.

    Pooled embeddings are kept for each condition as soon as it is done, so that a stopped
    command continues where it stopped. Weights are loaded only if something is left to compute.
    """

    replay: Replay
    name: str
    teacher: Teacher
    conditions: int
    heard_s: float = 0.0
    loaded: bool = False
    voices: dict[str, Voices] = field(init=False)

    def __post_init__(self) -> None:
        folds = self.replay.folds
        self.voices = {
            utterance: voices
            for split in folds.outer
            for voices in [voices_of(split, folds.table)]
            for utterance in split.test.ids
        }

    def pooled(self, condition: Condition) -> Pooled:
        """Pooled embeddings ``(U, L, P)`` of every tested utterance, in the table's order.

        Raises:
            TeacherError, CorpusError, SerbenchError: see ``teacher_readings``.
        """
        cache, key = FitCache(self.replay.cache, "robustness"), self._address(condition)
        before_s = self.heard_s
        kept = cache.get(key)
        pooled = self._embed(condition) if kept is None else kept.arrays["pooled"]
        if kept is None:
            cache.put(key, {"condition": condition.name, "teacher": self.name}, {"pooled": pooled})
        self._advance(before_s + self._corpus_s - self.heard_s)
        return pooled

    @property
    def _corpus_s(self) -> float:
        return sum(utterance.duration_s for utterance in self.replay.folds.tested)

    def _address(self, condition: Condition) -> str:
        """Digest of everything that determines the embeddings."""
        return digest_of(
            {
                "clean": embedding_key(self.teacher, self.replay.table),
                "code": core_digest(CODE),
                **condition_identity(self.replay, condition),
            }
        )

    def _embed(self, condition: Condition) -> Pooled:
        if not self.loaded:
            self.teacher.load(self.replay.device)
            self.loaded = True
        found: dict[str, Pooled] = {}
        by_id = self.replay.table.by_id
        for batch in batches(self.replay.folds.tested):
            found |= self._embed_batch([by_id[each.id] for each in batch], condition)
            self._advance(sum(utterance.duration_s for utterance in batch))
        return np.stack([found[utterance.id] for utterance in self.replay.folds.tested])

    def _embed_batch(self, batch: Sequence[Utterance], condition: Condition) -> dict[str, Pooled]:
        waveforms = [perturb(each, condition, self.voices[each.id]).waveform for each in batch]
        try:
            features = self.teacher.embed([torch.from_numpy(each) for each in waveforms])
        except torch.OutOfMemoryError as error:
            raise TeacherError(
                f"{self.name} runs out of memory on {len(batch)} utterances of up to "
                f"{batch[0].duration_s:.1f} s; use --device cpu"
            ) from error
        pooled = {}
        for utterance, feature in zip(batch, features, strict=True):
            if not torch.isfinite(feature.pooled).all():
                raise TeacherError(
                    f"{self.name} on {utterance.id} under {condition.name}: the embedding is not "
                    "finite; leave this condition out with --condition"
                )
            pooled[utterance.id] = feature.pooled.cpu().numpy().astype(np.float32)
        return pooled

    def _advance(self, seconds: float) -> None:
        """Report progress in whole seconds of speech."""
        self.heard_s += seconds
        total_s = round(self.conditions * self._corpus_s)
        stage = f"teacher {self.name} under conditions"
        self.replay.watch.advance(stage, min(round(self.heard_s), total_s), total_s)
