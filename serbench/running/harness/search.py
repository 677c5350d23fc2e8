"""Inner searches: which candidates are fitted on which inner folds, and which one is refitted.

A strategy decides by the UA on inner folds alone. All candidates that a strategy compares were
scored on the same inner folds, so that comparisons are paired. A candidate is refitted only if it
was scored on all of them. No strategy makes more fits than the grid, and the same scores lead to
the same fits: a search that was stopped repeats its steps from the cache.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serbench.errors import SerbenchError
from serbench.settings import SAMPLERS

Fit = tuple[int, int]
"""A candidate and an inner fold, both from 0."""

Scores = Mapping[Fit, float]

ASKED = 100
"""The search ends if a sampler has made this many proposals in a row that were all tried before."""


def most_fits(strategy: str, candidates: int, folds: int, trials: int) -> int:
    """Largest number of inner fits of a search."""
    search = Search(strategy if strategy == "halving" else "grid", [{}] * candidates, folds, 0, 0)
    if strategy in SAMPLERS:
        return trials * folds
    while stage := search.next():
        for fit in stage:
            search.take(fit, 0.0)
    return len(search.scores)


@dataclass
class Search:
    """The search of one method, seed and outer fold.

    Args:
        strategy: ``grid`` or one of ``settings.STRATEGIES``.
        values: the settings of each candidate, by dotted path.
        folds: number of inner folds.
        trials: candidates that a sampler may try.
        seed: seed of a sampler.
    """

    strategy: str
    values: Sequence[Mapping[str, object]]
    folds: int
    trials: int
    seed: int
    scores: dict[Fit, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stages = {"grid": self._grid, "halving": self._halving}
        self._stages = stages.get(self.strategy, self._sampled)()
        self._due: set[Fit] = set()

    def next(self) -> list[Fit]:
        """Fits that can be made now; empty while scores of earlier fits are outstanding, or
        at the end.

        Raises:
            SerbenchError: Optuna is not installed.
        """
        if self._due:
            return []
        stage = next(self._stages, [])
        self._due = set(stage)
        return stage

    def take(self, fit: Fit, ua: float) -> None:
        """Take in the score of a fit: its UA on its inner fold."""
        self.scores[fit] = ua
        self._due.discard(fit)

    @property
    def due(self) -> bool:
        """Whether any scores are outstanding."""
        return bool(self._due)

    @property
    def best(self) -> int:
        """The candidate with the best mean over all inner folds; the first one if
        several are equal.
        """
        tried = {candidate for candidate, _ in self.scores}
        complete = [c for c in tried if all((c, f) in self.scores for f in range(self.folds))]
        return max(complete, key=lambda c: (self._mean(c, self.folds), -c))

    def _mean(self, candidate: int, folds: int) -> float:
        return float(np.mean([self.scores[candidate, fold] for fold in range(folds)]))

    def _grid(self) -> Iterator[list[Fit]]:
        yield [(c, f) for c in range(len(self.values)) for f in range(self.folds)]

    def _halving(self) -> Iterator[list[Fit]]:
        """Fits by halving: all candidates on the first inner fold, the better half on two, a
        quarter on four, …, on all folds.
        """
        alive, seen = list(range(len(self.values))), 0
        while seen < self.folds:
            upto = min(self.folds, max(1, 2 * seen))
            yield [(c, f) for c in alive for f in range(seen, upto)]
            seen = upto
            ranked = sorted(alive, key=lambda c: (-self._mean(c, seen), c))
            alive = sorted(ranked[: (len(ranked) + 1) // 2])

    def _sampled(self) -> Iterator[list[Fit]]:
        """Candidates that a sampler of Optuna proposes, each on all inner folds."""
        space = _Space(self.values)
        study = space.study(self.strategy, self.seed, self.trials)
        for _ in range(min(self.trials, len(self.values))):
            for _ in range(ASKED):
                trial = study.ask()
                candidate = space.propose(trial)
                if (candidate, 0) not in self.scores:
                    break
                study.tell(trial, self._mean(candidate, self.folds))
            else:
                return
            yield [(candidate, fold) for fold in range(self.folds)]
            study.tell(trial, self._mean(candidate, self.folds))


class _Space:
    """The axes of a grid, as Optuna's parameters.

    An axis of ascending or descending numbers becomes a range of steps. Any other axis becomes a
    set of categories.
    """

    def __init__(self, values: Sequence[Mapping[str, object]]) -> None:
        axes: dict[str, dict[str, object]] = {path: {} for path in values[0]}
        for each in values:
            for path, value in each.items():
                axes[path].setdefault(json.dumps(value, sort_keys=True), value)
        self.axes = {path: list(found.values()) for path, found in axes.items()}
        places = {path: {key: n for n, key in enumerate(found)} for path, found in axes.items()}
        self.candidate = {
            tuple(places[p][json.dumps(v, sort_keys=True)] for p, v in each.items()): number
            for number, each in enumerate(values)
        }

    def study(self, strategy: str, seed: int, trials: int) -> Any:
        """A new study with the sampler of this strategy.

        Raises:
            SerbenchError: Optuna is not installed.
        """
        try:
            import optuna
        except ImportError:
            raise SerbenchError(
                f"protocol.search = {strategy}: needs Optuna: pip install 'serbench[optuna]'"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed %= 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            samplers = {
                "random": lambda: optuna.samplers.RandomSampler(seed=seed),
                "tpe": lambda: optuna.samplers.TPESampler(
                    seed=seed, n_startup_trials=max(1, min(10, trials // 3))
                ),
            }
            return optuna.create_study(direction="maximize", sampler=samplers[strategy]())

    def propose(self, trial: Any) -> int:
        """The candidate that a trial of Optuna proposes."""
        return self.candidate[
            tuple(
                trial.suggest_int(path, 0, len(values) - 1)
                if _ordered(values)
                else trial.suggest_categorical(path, range(len(values)))
                for path, values in self.axes.items()
            )
        ]


def _ordered(values: Sequence[object]) -> bool:
    """Whether values are numbers that only rise, or only fall."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    rises = [later > earlier for earlier, later in itertools.pairwise(numbers)]
    return len(numbers) == len(values) and len(set(rises)) <= 1
