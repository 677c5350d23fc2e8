"""How often 95 % intervals of pooled UA hold the truth, and how often equal methods are told apart.

Speakers differ in difficulty, overall and by class; test utterances are few. For each number of
speakers: the share of simulated corpora whose interval holds the UA of all speakers there could be,
with the percentiles that serbench takes and with plain ones; and the share in which two methods of
the same skill get a p of at most 0.05.

    python benchmarks/coverage.py [--trials 2000]
"""

from __future__ import annotations

import argparse

import numpy as np

from serbench.learning.evaluate import resample_weights, resampled_metric
from serbench.results.compare.intervals import percentile_interval
from serbench.results.compare.paired import sign_flip_test, ua_contributions

CLASSES, UTTERANCES = 7, 8
OFFSETS = np.linspace(0.1, 1.7, CLASSES)


def chances(ease: np.ndarray, random: np.random.Generator, own_sd: float) -> np.ndarray:
    """``(S, C)``: chance that an utterance is recognised."""
    return 1 / (1 + np.exp(-(OFFSETS + ease + random.normal(0, own_sd, ease.shape))))


def confusions(chance: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``(S, C, C)``; what is missed is taken for the next class."""
    hits = random.binomial(UTTERANCES, chance)
    places = np.arange(CLASSES)
    counts = np.zeros((*hits.shape, CLASSES), dtype=np.int64)
    counts[:, places, places] = hits
    counts[:, places, (places + 1) % CLASSES] = UTTERANCES - hits
    return counts


def difficulty(speakers: int, random: np.random.Generator) -> np.ndarray:
    """``(S, C)``."""
    return random.normal(0, 0.8, (speakers, 1)) + random.normal(0, 0.7, (speakers, CLASSES))


def simulate(speakers: int, trials: int) -> tuple[float, float, float]:
    """Coverage as taken, coverage of plain percentiles, false positives."""
    random = np.random.default_rng(speakers)
    truth = chances(difficulty(200_000, random), random, 0.0).mean(axis=0).mean()
    weights = resample_weights(speakers, 2000, 1)
    held = plain = claimed = 0
    for _ in range(trials):
        ease = difficulty(speakers, random)
        draws = resampled_metric(confusions(chances(ease, random, 0.0), random), weights, "ua")
        low, high = percentile_interval(draws, speakers)
        held += low <= truth <= high
        low, high = np.percentile(draws, (2.5, 97.5))
        plain += low <= truth <= high
        pair = [confusions(chances(ease, random, 0.6), random) for _ in range(2)]
        claimed += sign_flip_test(ua_contributions(*pair))[0] <= 0.05
    return held / trials, plain / trials, claimed / trials


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    print("| Speakers | interval holds the truth | plain percentiles | equal methods told apart |")
    print("| --: | --: | --: | --: |")
    for speakers in (4, 6, 10, 24, 91):
        held, plain, claimed = simulate(speakers, trials)
        print(f"| {speakers} | {100 * held:.1f} % | {100 * plain:.1f} % | {100 * claimed:.1f} % |")


if __name__ == "__main__":
    main()
