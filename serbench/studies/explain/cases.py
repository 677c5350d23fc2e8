"""Cases, each a training utterance in a refit, and counts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from serbench.studies.explain.readings import (
    POSTERIOR,
    RELIABLE,
    FitReadings,
    mean_over_epochs,
)

MEAN, POSTERIOR_OF = "mean_", "p_"
"""Prefixes of columns of cases: a reading's mean over epochs, and the teacher's posterior."""

GATED = ("closed", "wrong")
"""Columns of cases: whether the gate closed, and whether the teacher was wrong."""


@dataclass(frozen=True, slots=True)
class CaseTally:
    """Counts of cases; they are zero if the gate or the teacher's answer is unknown."""

    cases: int
    closed: int
    wrong: int
    closed_wrong: int

    @property
    def closed_right(self) -> int:
        """Number of cases in which the gate closed although the teacher was right."""
        return self.closed - self.closed_wrong

    @property
    def open(self) -> int:
        """Number of cases in which the gate was open."""
        return self.cases - self.closed

    @property
    def open_wrong(self) -> int:
        """Number of cases in which the gate was open although the teacher was wrong."""
        return self.wrong - self.closed_wrong

    @property
    def open_right(self) -> int:
        """Number of cases in which the gate was open and the teacher was right."""
        return self.open - self.open_wrong


def make_cases(
    fits: Sequence[FitReadings], utterances: pd.DataFrame, labels: Sequence[str]
) -> pd.DataFrame:
    """One row for each refit and each utterance that came up in its training.

    Args:
        fits: at least one.
        utterances: ``speaker`` and ``label``, by utterance.
        labels: the C classes, in the order of the posterior.

    Returns:
        Columns ``fold``, ``seed``, ``utterance``, ``speaker``, ``label``; for each reading of one
        number ``mean_<reading>`` over epochs. If the gate is recorded, ``closed``: whether it was
        closed in more than half of the epochs. If the posterior is recorded, ``p_<label>`` (mean
        over epochs) and ``wrong``: whether the largest is of another class than the label.
    """
    return pd.concat([_cases(fit, utterances, labels) for fit in fits], ignore_index=True)


def _cases(fit: FitReadings, utterances: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    own = utterances.loc[list(fit.ids)]
    columns: dict[str, object] = {
        "fold": fit.fold,
        "seed": fit.seed,
        "utterance": list(fit.ids),
        "speaker": own["speaker"].to_numpy(),
        "label": own["label"].to_numpy(),
    }
    means = {name: mean_over_epochs(fit.arrays[name]) for name in fit.scalars}
    columns |= {MEAN + name: mean for name, mean in means.items()}
    seen = np.zeros(len(fit.ids), dtype=bool)
    for array in fit.arrays.values():
        there = np.isfinite(array).any(axis=0)
        seen |= there.any(axis=1) if there.ndim == 2 else there
    if RELIABLE in fit.arrays:
        columns["closed"] = mean_over_epochs(fit.arrays[RELIABLE]) < 0.5
    if POSTERIOR in fit.arrays:
        posterior = mean_over_epochs(fit.arrays[POSTERIOR])
        columns |= {POSTERIOR_OF + label: posterior[:, i] for i, label in enumerate(labels)}
        columns["wrong"] = _says(posterior, labels) != own["label"].to_numpy()
    return pd.DataFrame(columns).loc[seen]


def _says(posterior: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """The names of the most probable classes of ``(N, C)`` posteriors; the first of equal ones."""
    return np.array(labels, dtype=object)[np.nan_to_num(posterior).argmax(axis=1)]


def part_of(cases: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """The cases that have ``value`` in ``column``."""
    return cases.loc[cases[column] == value]


def tally(cases: pd.DataFrame) -> CaseTally:
    """Count cases by what the gate did and whether the teacher was right."""
    nothing = np.zeros(len(cases), dtype=bool)
    closed, wrong = (np.asarray(cases.get(name, nothing), dtype=bool) for name in GATED)
    return CaseTally(len(cases), int(closed.sum()), int(wrong.sum()), int((closed & wrong).sum()))


def by_utterance(cases: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """One row for each utterance, over the refits that trained on it.

    Returns:
        Columns ``utterance``, ``speaker``, ``label``, ``fits``; with a gate ``closed_fits``; with
        a posterior ``teacher_says``, ``p_teacher_says`` and ``teacher_wrong`` (from the mean over
        fits) and ``wrong_fits`` (number of fits); ``mean_<reading>`` over epochs and fits. Rows on
        which the gate closes come first: by descending γ if it is recorded, else by the share of
        fits that closed the gate.
    """
    counted = {"closed": "closed_fits", "wrong": "wrong_fits"}
    aggregates: Mapping[str, tuple[str, str]] = {
        "speaker": ("speaker", "first"),
        "label": ("label", "first"),
        "fits": ("fold", "size"),
        **{new: (old, "sum") for old, new in counted.items() if old in cases},
        **{c: (c, "mean") for c in cases if str(c).startswith((MEAN, POSTERIOR_OF))},
    }
    rows = cases.groupby("utterance", sort=True).agg(**aggregates).reset_index()  # pyright: ignore[reportCallIssue, reportArgumentType]
    posteriors = [POSTERIOR_OF + label for label in labels]
    if "wrong" in cases:
        posterior = rows[posteriors].to_numpy()
        rows["teacher_says"] = _says(posterior, labels)
        rows["p_teacher_says"] = posterior.max(axis=1)
        rows["teacher_wrong"] = rows["teacher_says"] != rows["label"]
        rows = rows.drop(columns=posteriors)
    return _ordered(_sorted(rows))


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    if MEAN + "gamma" in rows:
        key = rows[MEAN + "gamma"]
    elif "closed_fits" in rows:
        key = rows["closed_fits"] / rows["fits"]
    else:
        return rows
    order = np.argsort(-key.to_numpy(dtype=np.float64), kind="stable")
    return rows.iloc[order].reset_index(drop=True)


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    first = (
        "utterance", "speaker", "label", "teacher_says", "p_teacher_says", "teacher_wrong",
        "fits", "wrong_fits", "closed_fits",
    )  # fmt: skip
    known = [column for column in first if column in rows]
    return rows.loc[:, [*known, *(column for column in rows if column not in known)]]
