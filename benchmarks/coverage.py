"""How often intervals hold the truth, equal methods are told apart, and unequal ones are found.

Three simulations, each with as many trials as asked for:

``scores``: speakers differ in difficulty, overall and by class; test utterances are few. How often
the interval of pooled UA holds the UA of all speakers there could be, with the percentiles that
serbench takes and with plain ones; and how often two trained models of the same skill get a p of
at most 0.05 from signs that are flipped by speaker.

``folds``: the difference of two methods on a speaker, in points of UA, is their true difference,
plus a part of the speaker, a part of the fold (its model is better or worse as a whole), and noise
of each seed, by fold and by speaker. Where training sides overlap, folds have a part in common,
too, as large as Nadeau and Bengio assume. For each test: equal methods told apart, and methods that
are 5 points apart.

``learners``: real learners over real folds. Two classifiers of the same kind hear features of their
own with the same law, so that neither is better, whichever speakers they are trained on; or one
hears clearer ones. How often they are told apart, and how often the interval of UA holds what the
method scores when it is trained anew on other speakers.

    python benchmarks/coverage.py [scores] [folds] [learners] [--trials 2000]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy import stats

from serbench.learning.evaluate import resample_weights, resampled_metric
from serbench.results.compare.intervals import percentile_interval
from serbench.results.compare.paired import corrected_t, sign_flip_test, ua_contributions

CLASSES, UTTERANCES = 7, 8
OFFSETS = np.linspace(0.1, 1.7, CLASSES)

SPEAKER, SPEAKER_SEED, FOLD_SEED, REAL = 5.0, 5.0, 2.0, 5.0
"""Deviations of a difference and a real one, in points of UA."""

FEATURES, HIDDEN, RIDGE, EMOTIONS = 24, 40, 30.0, 5

DESIGNS = ((10, 5), (24, 5), (10, 10), (24, 24))
"""Speakers and folds: EmoDB's and RAVDESS's, then one fold for each speaker."""


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


def score_coverage(speakers: int, trials: int) -> tuple[float, float, float]:
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


def folds_of(speakers: int, folds: int) -> list[np.ndarray]:
    """Neighbours together, as even as can be."""
    return np.array_split(np.arange(speakers), folds)


def component_differences(
    speakers: int, folds: int, ratio: float, seeds: int, overlap: bool, real: float, trials: int
) -> np.ndarray:
    """``(trials, S, seeds)`` differences in points.

    Args:
        speakers, folds, seeds: how many.
        ratio: the fold's deviation over the speaker's, what a single seed adds included.
        overlap: whether folds correlate by test / (test + train), averaged over seeds.
        real: the true difference.
        trials: how many corpora.
    """
    random = np.random.default_rng([speakers, folds, seeds])
    found = real + random.normal(0, SPEAKER_SEED, (trials, speakers, seeds))
    found += random.normal(0, SPEAKER, (trials, speakers, 1))
    of_fold = ratio * np.hypot(SPEAKER, SPEAKER_SEED)
    if overlap:
        tested = speakers / folds
        own = of_fold**2 + (SPEAKER**2 + SPEAKER_SEED**2 / seeds) / tested + FOLD_SEED**2 / seeds
        found += random.normal(0, np.sqrt(own / (folds - 1)), (trials, 1, 1))
    for members in folds_of(speakers, folds):
        shared = random.normal(0, of_fold, (trials, 1, 1))
        found[:, members] += shared + random.normal(0, FOLD_SEED, (trials, 1, seeds))
    return found


def p_values(differences: np.ndarray, folds: int) -> dict[str, np.ndarray]:
    """``(trials,)`` of each test, from ``(trials, S, seeds)`` differences of speakers."""
    mean = differences.mean(axis=2)  # over seeds
    speakers, members = mean.shape[1], folds_of(mean.shape[1], folds)
    value = mean.mean(axis=1)
    sizes = np.array([len(own) for own in members])
    share = float((sizes / (speakers - sizes)).mean())
    by_fold = np.stack([differences[:, own].mean(axis=1) for own in members], axis=1)  # T, J, R
    apart = (by_fold.mean(axis=2) - value[:, None]) * sizes / speakers
    found = {
        "signs by speaker": flipped(mean / speakers),
        "signs by fold": flipped(by_fold.mean(axis=2) * sizes / speakers),
        "mixed model": mixed_model(mean, members),
    }
    for name, own_share in (("t", 0.0), ("corrected t", share)):
        tests = [corrected_t(*both, own_share).p for both in zip(value, apart, strict=True)]
        found[name] = np.array(tests)
    flat = by_fold.reshape(len(mean), -1)
    error = np.sqrt((1 / flat.shape[1] + share) * flat.var(axis=1, ddof=1))
    found["seeds not averaged"] = t_test(flat.mean(axis=1), error, flat.shape[1] - 1)
    return found


def t_test(value: np.ndarray, error: np.ndarray, degrees: np.ndarray | int) -> np.ndarray:
    """Two-sided p."""
    return 2 * stats.t.sf(np.abs(value) / error, degrees)


def flipped(contributions: np.ndarray, draws: int = 2000) -> np.ndarray:
    """``sign_flip_test`` of each row of ``(trials, units)``, with fewer draws."""
    units = contributions.shape[1]
    if units <= 10:
        signs = 1 - 2 * (np.arange(2**units)[:, None] >> np.arange(units) & 1)
    else:
        signs = 1 - 2 * np.random.default_rng(0).integers(0, 2, (draws, units))
        signs[0] = 1
    observed = np.abs(contributions.sum(axis=1)) - 1e-12
    return np.concatenate(
        [
            (np.abs(rows @ signs.T.astype(float)) >= least[:, None]).mean(axis=1)
            for rows, least in zip(
                np.array_split(contributions, 20), np.array_split(observed, 20), strict=True
            )
        ]
    )


def mixed_model(speakers: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """t test of the mean with a random part of the fold, by mean squares.

    Where folds differ less than their speakers do, the part is 0 and all speakers are one group.
    """
    count, folds = speakers.shape[1], len(members)
    total = count * speakers.var(axis=1)
    within = sum(len(own) * speakers[:, own].var(axis=1) for own in members)
    between = (total - within) / (folds - 1)
    none = between <= within / max(count - folds, 1) if count > folds else np.array(False)
    error = np.sqrt(np.where(none, total / (count - 1), between) / count)
    return t_test(speakers.mean(axis=1), error, np.where(none, count - 1, folds - 1))


def hidden_units(
    heard: np.ndarray, random: np.random.Generator, seeds: int
) -> Iterator[np.ndarray]:
    """Random units over ``(T, S, U, features)``, others for each seed; without: the features."""
    for _ in range(max(seeds, 1)):
        if not seeds:
            yield heard
            continue
        weights = random.normal(0, FEATURES**-0.5, (len(heard), 1, FEATURES, HIDDEN))
        yield np.tanh(heard @ weights + random.normal(size=(len(heard), 1, 1, HIDDEN)))


def learnt_hits(
    heard: np.ndarray, said: np.ndarray, folds: int, random: np.random.Generator, seeds: int
) -> np.ndarray:
    """``(T, S, max(seeds, 1))``: UA of each speaker by the model that was trained without them."""
    trials, speakers = heard.shape[:2]
    wanted = np.eye(EMOTIONS)[said] - 1 / EMOTIONS
    found = np.empty((trials, speakers, max(seeds, 1)))
    for members in folds_of(speakers, folds):
        train = np.setdiff1d(np.arange(speakers), members)
        for seed, units in enumerate(hidden_units(heard, random, seeds)):
            own = units[:, train].reshape(trials, -1, units.shape[-1])
            centre = own.mean(axis=1, keepdims=True)
            own = own - centre
            moments = own.transpose(0, 2, 1) @ own + RIDGE * np.eye(own.shape[-1])
            target = own.transpose(0, 2, 1) @ np.tile(wanted, (len(train), 1))
            learnt = np.linalg.solve(moments, target)[:, None]
            guess = ((units[:, members] - centre[:, None]) @ learnt).argmax(axis=-1)
            found[:, members, seed] = (guess == said).mean(axis=-1)
    return found


def learner_uas(speakers: int, folds: int, seeds: int, clearer: float, trials: int) -> np.ndarray:
    """``(2, trials, S, seeds)``: UA of two methods on each speaker, in points.

    Without seeds: ridge regression on the features, which has no luck in training.
    """
    random = np.random.default_rng([speakers, folds, seeds])
    emotions = np.random.default_rng(99).normal(0, 0.5, (EMOTIONS, FEATURES))
    said = np.repeat(np.arange(EMOTIONS), UTTERANCES)
    found = []
    for _ in range(0, trials, 50):
        pair = []
        for clear in (clearer, 1.0):
            voice = random.normal(0, 1.0, (50, speakers, 1, FEATURES))
            habits = random.normal(0, 0.7, (50, speakers, EMOTIONS, FEATURES))
            noise = random.normal(0, 1.0, (50, speakers, len(said), FEATURES))
            heard = clear * emotions[said] + voice + habits[:, :, said] + noise
            pair.append(learnt_hits(heard, said, folds, random, seeds))
        found.append(np.stack(pair))
    return 100 * np.concatenate(found, axis=1)


def learner_coverage(uas: np.ndarray) -> float:
    """How often the interval of UA holds the mean over trials, from ``(trials, S, seeds)``."""
    own = uas.mean(axis=2)
    weights = resample_weights(own.shape[1], 2000, 1) / own.shape[1]
    bounds = [percentile_interval(weights @ row, own.shape[1]) for row in own]
    return float(np.mean([low <= own.mean() <= high for low, high in bounds]))


def cells(equal: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> str:
    """Of each test: equal methods told apart / real differences found, in %."""
    shares = [[f"{100 * np.mean(p[name] <= 0.05):.1f}" for p in (equal, other)] for name in equal]
    return " | ".join(" / ".join(pair) for pair in shares)


def design_text(speakers: int, folds: int) -> str:
    """For a table."""
    return f"{speakers} in {folds}" if folds < speakers else f"{speakers}, one by one"


def heading(first: str, tests: dict[str, np.ndarray]) -> str:
    """Of a table whose first columns are named."""
    return f"| {first} | {' | '.join(tests)} |\n|{' --: |' * (first.count('|') + 1 + len(tests))}"


def print_scores(trials: int) -> None:
    """See the module."""
    print("| Speakers | interval holds the truth | plain percentiles | equal models told apart |")
    print("| --: | --: | --: | --: |")
    for speakers in (4, 6, 10, 24, 91):
        held, plain, claimed = score_coverage(speakers, trials)
        print(f"| {speakers} | {100 * held:.1f} % | {100 * plain:.1f} % | {100 * claimed:.1f} % |")


def print_folds(trials: int) -> None:
    """See the module."""
    rows = [(10, 5, ratio, 3, False) for ratio in (0.0, 0.5, 1.0, 2.0)]
    rows += [(10, 5, 0.5, seeds, True) for seeds in (1, 3, 10)]
    rows += [(24, 5, 0.5, 3, overlap) for overlap in (False, True)]
    rows += [(10, 10, 0.5, 3, True), (24, 24, 0.5, 3, True)]
    for place, row in enumerate(rows):
        both = [p_values(component_differences(*row, real, trials), row[1]) for real in (0, REAL)]
        if not place:
            print(heading("Speakers, folds | fold : speaker | seeds | overlap", both[0]))
        first = f"{design_text(*row[:2])} | {row[2]:g} | {row[3]} | {'yes' if row[4] else 'no'}"
        print(f"| {first} | {cells(both[0], both[1])} |")


def print_learners(trials: int) -> None:
    """See the module."""
    rows = [(10, 5, 1), (10, 5, 3), *((*design, 0) for design in DESIGNS)]
    for place, row in enumerate(rows):
        equal, other = (learner_uas(*row, clearer, trials) for clearer in (1.0, 1.2))
        both = [p_values(uas[0] - uas[1], row[1]) for uas in (equal, other)]
        if not place:
            print(heading("Speakers, folds | seeds | real Δ | UA's interval holds", both[0]))
        real = (other[0] - other[1]).mean()
        held = 100 * learner_coverage(equal[0])
        print(
            f"| {design_text(*row[:2])} | {row[2] or 'none'} | {real:.1f} | {held:.1f} % | "
            f"{cells(both[0], both[1])} |"
        )


def main() -> None:
    """Print the tables."""
    parts = {"scores": print_scores, "folds": print_folds, "learners": print_learners}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="default: all")
    parser.add_argument("--trials", type=int, default=2000)
    asked = parser.parse_args()
    for name in asked.parts or parts:
        parts[name](asked.trials)
        print()


if __name__ == "__main__":
    main()
