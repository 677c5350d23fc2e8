"""Contents of a run folder's tables: the predictions, and ``utterances.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from serbench.api.json_text import utf8_text
from serbench.errors import StoreError
from serbench.running.store.schema import Json

if TYPE_CHECKING:
    import pandas as pd

PREDICTION_COLUMNS = ("method", "seed", "outer", "utterance", "speaker", "label", "predicted")
"""Columns of the predictions. After them comes one column ``p_<label>`` per class,
with the posterior.
"""

TEST_SET = "test_set"
"""Name of a column of the predictions and of ``utterances.csv``, which exists if the corpus's split
has several test sets.
"""

UTTERANCE_COLUMNS = ("utterance", "fold", "speaker", "label", "pcm_sha256")
"""Required columns of ``utterances.csv``."""


def test_sets(plan: Json) -> tuple[str, ...]:
    """Names of the plan's test sets; the first one gives the headline. Empty if there is
    only one.
    """
    return tuple(
        dict.fromkeys(name for fold in plan["outer"] for name in fold.get("test_sets", {}))
    )


def check_columns(predictions: pd.DataFrame, what: str, labels: Sequence[str]) -> None:
    """
    Raises:
        StoreError: a column is missing.
    """
    wanted = [*PREDICTION_COLUMNS, *(f"p_{label}" for label in labels)]
    missing = [column for column in wanted if column not in predictions.columns]
    if missing:
        raise StoreError(f"{what}: missing columns {', '.join(missing)}")


def check_values(predictions: pd.DataFrame, plan: Json) -> None:
    """
    Raises:
        ValueError: a column has values of a wrong type; methods, folds, seeds or labels are not in
            the plan; or a posterior is not finite.
    """
    from pandas.api.types import is_float_dtype, is_integer_dtype

    if predictions.columns.duplicated().any():
        raise ValueError("a column occurs twice")
    for name in ("method", "utterance", "speaker", "label", "predicted"):
        if not all(isinstance(value, str) for value in predictions[name].unique()):
            raise ValueError(f"column {name} contains values that are not text")
    for name in ("seed", "outer"):
        if not is_integer_dtype(predictions[name].dtype):
            raise ValueError(f"column {name} contains values that are not whole numbers")
    labels = plan["dataset"]["labels"]
    allowed: dict[str, set[object]] = {
        "seed": set(plan["seeds"]),
        "outer": set(range(1, len(plan["outer"]) + 1)),
        "label": set(labels),
        "predicted": set(labels),
    }
    if sets := test_sets(plan):
        allowed[TEST_SET] = set(sets)
        if TEST_SET not in predictions.columns:
            raise ValueError(f"there is no column {TEST_SET}, but plan.json has several test sets")
    for name, known in allowed.items():
        if foreign := sorted({*predictions[name].unique()} - known, key=str):
            raise ValueError(f"plan.json has no {name} {str(foreign[0])[:40]!r}")
    for name in (f"p_{label}" for label in labels):
        column = predictions[name]
        if not is_float_dtype(column.dtype) or not np.isfinite(column).all():
            raise ValueError(f"column {name} contains values that are not finite numbers")


def utterance_rows(content: bytes) -> dict[str, dict[str, str]]:
    """The rows of ``utterances.csv`` by utterance.

    Raises:
        ValueError: a wrong encoding, a missing column, a row with too few or too many cells, or an
            utterance twice.
    """
    reader = csv.DictReader(io.StringIO(utf8_text(content), newline=""), strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"after line {reader.line_num}: {error}") from None
    columns = reader.fieldnames or ()
    if missing := [name for name in UTTERANCE_COLUMNS if name not in columns]:
        raise ValueError(f"it has no column {', '.join(missing)}")
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ValueError(f"row {line} has more or fewer cells than the first")
    found = {row["utterance"]: row for row in rows}
    if len(found) < len(rows):
        raise ValueError("an utterance occurs twice")
    return found
