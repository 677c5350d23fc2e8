"""Estimates from a timed sample how long pieces of a run take, and how much space they need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.files.machine import peak_bytes
from serbench.learning.features import RESIDENT_BYTES
from serbench.running.dry_run.count import Piece
from serbench.running.dry_run.sample import Sample, Timed, recipe_of
from serbench.running.plan.records import RunPlan

FIT_BYTES = 20_000
"""Size of a fit in the cache without its weights, in bytes."""


@dataclass(frozen=True)
class Estimate:
    """Estimates of a run.

    Args:
        plan: the run's plan.
        samples: samples of growing size; estimates use the last one.
        workers: number of items that are computed at the same time.
        utterance_s: mean duration of an utterance.
    """

    plan: RunPlan
    samples: Sequence[Sample]
    workers: int
    utterance_s: float

    @property
    def sample(self) -> Sample:
        """The largest sample."""
        return self.samples[-1]

    def wall_s(self, pieces: Sequence[Piece]) -> float:
        """Seconds until pieces of one kind are done; those in the cache take none."""
        todo = [piece for piece in pieces if not piece.kept and piece.count]
        if not todo:
            return 0.0
        seconds = sum(piece.count * self._seconds(piece) for piece in todo)
        if todo[0].kind in ("features", "embeddings"):
            return seconds
        count = sum(piece.count for piece in todo)
        return seconds / count * math.ceil(count / self.workers)

    def _seconds(self, piece: Piece) -> float:
        """Seconds that one piece takes on one worker."""
        if piece.kind in ("features", "embeddings"):
            return piece.size * self.sample.passes[piece.kind, piece.name].seconds
        if piece.kind == "heads":
            return self.sample.head_s * piece.size / self.sample.size
        timed = self._timed(piece)
        if piece.kind == "pretraining":
            share = piece.size / self.sample.audio_s
            return timed.fixed_s + timed.epoch_s * piece.epochs * share
        more = piece.size - self.sample.size
        fixed_s = timed.fixed_s + more * self._slope(piece)
        return fixed_s + timed.epoch_s * piece.epochs * piece.size / self.sample.size

    def _slope(self, piece: Piece) -> float:
        """Seconds by which a fit without its epochs takes longer for each additional utterance."""
        if len(self.samples) < 2:
            return 0.0
        before, last = self.samples[-2:]
        longer_s = self._timed(piece).fixed_s - self._timed(piece, before).fixed_s
        return max(0.0, longer_s / (last.size - before.size))

    def _timed(self, piece: Piece, sample: Sample | None = None) -> Timed:
        sample = sample or self.sample
        assert piece.candidate is not None, "only passes and heads have none"
        found = sample.pretrainings if piece.kind == "pretraining" else sample.fits
        recipe = recipe_of(piece.candidate)
        if recipe not in found:  # a canary's candidate, which has another profile
            recipe = recipe_of(self.plan.method(piece.name).candidates[0])
        return found[recipe]

    def disk_bytes(self, pieces: Sequence[Piece], where: Literal["cache", "run"]) -> float:
        """Bytes that are added to the cache, or that the run's folder needs."""
        needed = 0.0
        for piece in pieces:
            if piece.kind in ("features", "embeddings"):
                rate = self.sample.passes[piece.kind, piece.name]
                own = piece.size * rate.disk_bytes if where == "cache" else 0.0
            elif piece.kind == "heads":
                own = FIT_BYTES if where == "cache" else 0.0
            elif piece.kind == "inner":
                own = FIT_BYTES
            else:
                own = FIT_BYTES + self._timed(piece).kept_bytes
            if where == "run" or not piece.kept:
                needed += own * piece.count
        return needed

    def memory_bytes(self, pieces: Sequence[Piece]) -> tuple[float, float] | None:
        """Bytes that the command needs, and that each worker needs while it fits; None: unknown."""
        fits = [piece for piece in pieces if piece.kind in ("inner", "refit")]
        peaks = [timed.peak_bytes for timed in self.sample.fits.values()]
        own = peak_bytes()
        if own is None or None in peaks or not fits:
            return None
        speech_s = sum(piece.size for piece in pieces if piece.kind == "embeddings")
        rates = self.sample.passes
        own += speech_s * max((each.memory_bytes for each in rates.values()), default=0.0)
        largest = max(piece.size for piece in fits)
        frames = max(
            (rate.disk_bytes for (kind, _), rate in rates.items() if kind == "features"),
            default=0.0,
        )
        held = [
            min(RESIDENT_BYTES, frames * self.utterance_s * n) for n in (self.sample.size, largest)
        ]
        return own, max(filter(None, peaks)) + held[1] - held[0]
