"""Every prediction of a report, small enough for its page, to trace numbers to rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from serbench.results.pages.series import Method
from serbench.results.report.results import Results

MOST = 100_000
"""Greatest number of predictions in a page; with more, it would be larger than 2 MB and slow."""


def trace_data(results: Results, methods: Sequence[Method]) -> dict[str, object] | None:
    """The data in which the page's script looks up numbers.

    Returns:
        ``labels``; U ``utterances`` with ``truth`` (class), ``speakers`` and ``speaker`` (index),
        ``fold``; for each method its ``name`` and ``run``, and for each of its ``seeds`` the
        ``predicted`` class of each utterance and its ``confidence`` (per cent). None if there are
        more than ``MOST`` predictions.
    """
    if sum(len(each.predictions) for each in methods) > MOST:
        return None
    labels = {label: index for index, label in enumerate(results.comparison.labels)}
    first = methods[0].predictions.drop_duplicates(subset=["utterance"]).sort_values("utterance")
    speakers = list(results.comparison.speaker_counts)
    return {
        "labels": [*labels],
        "speakers": speakers,
        "utterances": first["utterance"].tolist(),
        "truth": [labels[each] for each in first["label"]],
        "speaker": [speakers.index(each) for each in first["speaker"]],
        "fold": first["outer"].tolist(),
        "methods": [_method(each, labels) for each in methods],
    }


def _method(method: Method, labels: dict[str, int]) -> dict[str, object]:
    parts = [part.sort_values("utterance") for _, part in method.predictions.groupby("seed")]
    return {
        "name": method.name,
        "run": method.run,
        "seeds": [int(part["seed"].iloc[0]) for part in parts],
        "predicted": [[labels[each] for each in part["predicted"]] for part in parts],
        "confidence": [_confidence(part, labels) for part in parts],
    }


def _confidence(part: pd.DataFrame, labels: dict[str, int]) -> list[int]:
    posteriors = part[[f"p_{label}" for label in labels]].to_numpy()
    return [round(100 * float(value)) for value in posteriors.max(axis=1)]


def trace(method: Method, **wanted: int) -> str:
    """The meaning of a number, as an attribute of its cell: a method, and any of ``t`` (true
    class), ``p`` (predicted class), ``s`` (speaker) and ``f`` (fold).
    """
    return "&".join(f"{key}={value}" for key, value in {"m": method.index, **wanted}.items())
