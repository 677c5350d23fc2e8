"""From posteriors to a compared result: five methods, three seeds, a corpus of EmoDB's size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from serbench.data.corpus.table import CorpusTable
from serbench.learning.evaluate import (
    resample_weights,
    resampled_metric,
    score,
    speaker_confusions,
    utterance_posteriors,
)
from serbench.learning.segments import Cutting, segment_partition
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Partition
from serbench.results.compare.methods import comparison

METHODS = ("akd", "vanilla-kd", "hybrid", "transformer", "teacher:whisper")
SEEDS = 3


@pytest.fixture(scope="module")
def predictions(table: CorpusTable) -> pd.DataFrame:
    """Methods that are right on 50 to 90 % of all utterances."""
    draw = np.random.default_rng(0)
    splits = outer_splits(table, "pairs", 5)
    outer = {i: n for n, split in enumerate(splits, 1) for i in split.test.ids}
    truth, parts = table.label_index, []
    for number, method in enumerate(METHODS):
        for seed in range(SEEDS):
            guess = draw.integers(0, len(table.labels), len(truth))
            guess = np.where(draw.random(len(truth)) < 0.5 + 0.1 * number, truth, guess)
            parts.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "seed": seed,
                        "outer": [outer[i] for i in table.ids],
                        "utterance": table.ids,
                        "speaker": [u.speaker for u in table.utterances],
                        "label": np.array(table.labels)[truth],
                        "predicted": np.array(table.labels)[guess],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def test_posteriors_of_utterances(benchmark: BenchmarkFixture, table: CorpusTable) -> None:
    """Means over the windows of the whole corpus, 1 s each."""
    whole = Partition("all", table.ids, tuple(table.units), "train")
    segments = segment_partition(table, whole, Cutting(1.0, 0.5))
    draw = np.random.default_rng(0)
    posteriors = draw.dirichlet(np.ones(len(table.labels)), len(segments))
    row = {utterance: number for number, utterance in enumerate(table.ids)}
    owner = [row[segment.utt_id] for segment in segments]
    means = benchmark(utterance_posteriors, posteriors, owner, len(row))
    assert means.shape == (len(table.ids), len(table.labels))


def test_score(benchmark: BenchmarkFixture, table: CorpusTable) -> None:
    """WA, UA, macro-F1 and confusion of 535 utterances."""
    guess = np.roll(table.label_index, 1)
    assert 0 <= benchmark(score, table.label_index, guess, len(table.labels)).ua <= 1


def test_draws_of_speakers(benchmark: BenchmarkFixture, table: CorpusTable) -> None:
    """UA of 2,000 draws of speakers."""
    guess = np.roll(table.label_index, 1)
    speakers = [u.speaker for u in table.utterances]

    def draws() -> np.ndarray:
        confusions = speaker_confusions(table.label_index, guess, speakers, len(table.labels))
        return resampled_metric(confusions, resample_weights(len(confusions), 2000, 0), "ua")

    assert benchmark(draws).shape == (2000,)


def test_comparison(
    benchmark: BenchmarkFixture, table: CorpusTable, predictions: pd.DataFrame
) -> None:
    """All that a report says of five methods: intervals, differences and tests."""
    compared = benchmark.pedantic(
        comparison, args=(predictions, table.labels, METHODS), rounds=3, warmup_rounds=1
    )
    assert [result.method for result in compared.methods] == list(METHODS)
