"""How a teacher's head scores on permuted labels (L10), and how often that is a false alarm.

python benchmarks/canary.py --corpus EMODB_FOLDER --teacher ENCODER_FOLDER --repeats 40
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from emodb_head import head, load

from serbench.learning.evaluate import score
from serbench.protocol.guard.canary import canary_result
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.views import Views

TOGETHER = 5
DRAWS = 20_000


def main() -> None:
    """Print mean and deviation of UA over repeats, and the share of draws of five that alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of EmoDB")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of an encoder")
    parser.add_argument("--repeats", type=int, default=40)
    table, embeddings = load(parser)
    repeats = parser.parse_args().repeats
    outer, classes = outer_splits(table, "paper", 5), len(table.labels)
    labels = [table.labels.index(table.by_id[i].label) for s in outer for i in s.test.ids]
    scores = []
    for repeat in range(1, repeats + 1):
        views = Views(table, outer, repeat)
        predicted = [
            guess
            for index, split in enumerate(outer)
            for guess in head(embeddings, views.make(index, split.train), table, split.test.ids)
        ]
        scores.append(score(labels, predicted, classes).ua)
        print(f"\r{repeat} of {repeats}", end="", flush=True)
    random = np.random.default_rng(0)
    alarms = [
        canary_result("head", random.choice(scores, TOGETHER, replace=False), classes).beats_chance
        for _ in range(DRAWS)
    ]
    mean, deviation = 100 * np.mean(scores), 100 * np.std(scores, ddof=1)
    print(
        f"\rUA {mean:.1f} ± {deviation:.1f} on permuted labels, "
        f"chance {100 / classes:.1f}; {100 * np.mean(alarms):.1f} % of draws of {TOGETHER} alarm"
    )


if __name__ == "__main__":
    main()
