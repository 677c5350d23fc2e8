"""What is it worth that test sentences are also spoken in training (L9)?

A teacher's head under three protocols: folds by speaker; folds by speaker and sentence, so that no
test sentence is heard in training; and, since those train on fewer utterances, folds by speaker
whose training sides are cut to the same sizes by chance.

    python benchmarks/sentences.py --corpus EMODB_FOLDER --teacher ENCODER_FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from emodb_head import head, load

from serbench.data.corpus.table import CorpusTable
from serbench.learning.evaluate import resample_weights, resampled_metric, score, speaker_confusions
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split
from serbench.results.compare.intervals import REPEATS, percentile_interval

DRAWS = 5


def main() -> None:
    """Print UA with its interval under each protocol."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of EmoDB")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of an encoder")
    table, embeddings = load(parser)
    speakers = outer_splits(table, "paper", 5)
    sentences = outer_splits(table, "paper", 5, text_groups=2)
    tell("by speaker", embeddings, table, [speakers])
    tell("by speaker and sentence", embeddings, table, [sentences])
    cut = [tuple(shortened(split, speakers, seed) for split in sentences) for seed in range(DRAWS)]
    tell(f"by speaker, as few in training ({DRAWS} draws)", embeddings, table, cut)


def shortened(split: Split, speakers: Sequence[Split], seed: int) -> Split:
    """The test side of ``split``, and as many utterances of its other speakers, by chance."""
    whole = next(s for s in speakers if set(s.test.units) >= set(split.test.units))
    random = np.random.default_rng(seed)
    chosen = set(random.choice(whole.train.ids, size=len(split.train.ids), replace=False).tolist())
    ids = tuple(i for i in whole.train.ids if i in chosen)
    return replace(split, train=replace(split.train, ids=ids))


def tell(
    name: str, embeddings: TeacherEmbeddings, table: CorpusTable, runs: Sequence[Sequence[Split]]
) -> None:
    """One line: pooled UA, mean over ``runs``, the interval of the first, and training sizes."""
    scores, sizes = [], []
    interval = (0.0, 0.0)
    for number, splits in enumerate(runs):
        labels, predicted, heard = [], [], []
        for split in splits:
            ids = split.test.ids
            predicted += head(embeddings, PartitionView(split.train, table), table, ids)
            labels += [table.labels.index(table.by_id[i].label) for i in ids]
            heard += [table.by_id[i].speaker for i in ids]
            sizes.append(len(split.train.ids))
        classes = len(table.labels)
        scores.append(score(labels, predicted, classes).ua)
        if number == 0:
            confusions = speaker_confusions(labels, predicted, heard, classes)
            weights = resample_weights(len(confusions), REPEATS, seed=0)
            draws = resampled_metric(confusions, weights, "ua")
            interval = percentile_interval(draws, len(confusions))
    low, high = (100 * bound for bound in interval)
    spread = f" ± {100 * np.std(scores):.1f}" if len(scores) > 1 else ""
    print(
        f"{name}: UA {100 * np.mean(scores):.1f}{spread} [{low:.1f}, {high:.1f}], "
        f"{np.mean(sizes):.0f} utterances in training"
    )


if __name__ == "__main__":
    main()
