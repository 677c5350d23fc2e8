"""The readings of one refit, checked, and summaries of them over its epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError

GAMMA, BETA, RELIABLE, WEIGHTS, POSTERIOR = "gamma", "beta", "reliable", "weights", "posterior"
"""Readings with their own titles and descriptions on the page; others are shown by name."""

ABOUT = ("ids", "epochs", "teachers")
"""Arrays of a file that are not readings."""

STILL = 1e-3
"""A reading whose values differ by less than this over epochs counts as fixed."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FitReadings:
    """What the loss of one refit read of the N utterances that it was trained on.

    Attributes:
        fold: name of the outer fold.
        ids: ``(N,)`` utterances.
        epochs: ``(E,)`` int64, rising.
        teachers: the m teachers; empty if the file names none.
        arrays: by name, ``(E, N)`` or ``(E, N, k)``; NaN if an utterance did not occur in an
            epoch.
    """

    fold: str
    seed: int
    ids: tuple[str, ...]
    epochs: NDArray[np.int64]
    teachers: tuple[str, ...]
    arrays: Mapping[str, Floats]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its readings."""
        return tuple(self.arrays)

    @property
    def scalars(self) -> tuple[str, ...]:
        """Readings of one number for each utterance and epoch, except ``reliable``."""
        return tuple(n for n, a in self.arrays.items() if a.ndim == 2 and n != RELIABLE)


def checked_readings(
    arrays: Mapping[str, NDArray[Any]], what: str, fold: str, seed: int, classes: int
) -> FitReadings:
    """Check the arrays of a stored file, and return them as readings.

    Args:
        arrays: the result of ``RunStore.read_readings``.
        what: name of the file, for messages.
        fold: name of the outer fold.
        seed: seed of the refit.
        classes: C.

    Raises:
        StoreError: ``ids`` or ``epochs`` is missing, the shape of an array does not fit them, or an
            array has no number.
    """
    if missing := [name for name in ("ids", "epochs") if name not in arrays]:
        raise StoreError(f"{what} has no array {' and no '.join(missing)}; make the run again")
    ids = tuple(map(str, arrays["ids"]))
    epochs = np.asarray(arrays["epochs"], dtype=np.int64)
    teachers = tuple(map(str, arrays.get("teachers", ())))
    readings = {name: array for name, array in arrays.items() if name not in ABOUT}
    last = {RELIABLE: (), GAMMA: (), BETA: (), POSTERIOR: (classes,)}
    if teachers:
        last[WEIGHTS] = (len(teachers),)
    for name, array in readings.items():
        shape = (len(epochs), len(ids), *last.get(name, array.shape[2:3]))
        if array.shape != shape:
            raise StoreError(
                f"{what}: {name} is of shape {array.shape}, not {shape}; make the run again"
            )
        if not np.isfinite(array).any():
            raise StoreError(f"{what}: {name} contains no numbers; check the loss that records it")
    if not len(epochs) or len(set(ids)) < len(ids):
        raise StoreError(f"{what} has no epoch, or an utterance twice; make the run again")
    return FitReadings(fold, seed, ids, epochs, teachers, readings)


def mean_over_epochs(array: Floats) -> NDArray[np.float64]:
    """Mean over the epochs in which an utterance occurred: ``(E, N, …)`` to ``(N, …)``; NaN if it
    occurred in none.
    """
    there = np.isfinite(array)
    count = there.sum(axis=0)
    total = np.where(there, array, 0.0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def is_fixed(fits: Sequence[FitReadings], name: str) -> bool:
    """Whether a reading ``(E, N)`` is the same in all epochs of each fit, within ``STILL``."""
    spreads = [
        np.fmax.reduce(fit.arrays[name]) - np.fmin.reduce(fit.arrays[name])  # both ignore NaN
        for fit in fits
    ]
    return not any((spread > STILL).any() for spread in spreads)


def quartiles_by_epoch(
    fits: Sequence[FitReadings],
    name: str,
    index: int | None = None,
    chosen: Sequence[NDArray[np.bool_]] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Quartiles of a reading over the utterances of all fits.

    Args:
        fits: the fits that have the reading.
        name: name of the reading.
        index: which of the k numbers of a reading ``(E, N, k)``.
        chosen: for each fit ``(N,)``, which of its utterances count; None: all.

    Returns:
        The epochs ``(E,)`` in which an utterance occurred in any fit, and quartiles ``(E, 3)``.
        Fits that ended earlier are not part of later epochs.
    """
    pools: dict[int, list[Floats]] = {}
    for number, fit in enumerate(fits):
        array = fit.arrays[name] if index is None else fit.arrays[name][..., index]
        array = array if chosen is None else array[:, chosen[number]]
        for epoch, values in zip(fit.epochs.tolist(), array, strict=True):
            pools.setdefault(epoch, []).append(values[np.isfinite(values)])
    joined = {epoch: np.concatenate(pools[epoch]) for epoch in sorted(pools)}
    held = {epoch: values for epoch, values in joined.items() if values.size}
    quartiles = [np.percentile(values, (25, 50, 75)) for values in held.values()]
    return np.array([*held], dtype=np.int64), np.array(quartiles, dtype=np.float64).reshape(-1, 3)


def gate_bounds(fits: Sequence[FitReadings]) -> tuple[float | None, float | None]:
    """The largest γ at which a gate was open, and the smallest at which one was closed; None if
    there was none. γ and ``reliable`` must be recorded.
    """
    opened, closed = [], []
    for fit in fits:
        gamma, reliable = fit.arrays[GAMMA], fit.arrays[RELIABLE]
        opened.append(gamma[reliable > 0.5])
        closed.append(gamma[reliable <= 0.5])  # NaN counts as neither
    above, below = np.concatenate(opened), np.concatenate(closed)
    return (
        float(above.max()) if above.size else None,
        float(below.min()) if below.size else None,
    )
