"""Predict again with the stored students."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from serbench.api import Advance, SerbenchError, StudentShape
from serbench.corpus import CorpusTable
from serbench.features import Normaliser, log_mel_frames
from serbench.fit import predict
from serbench.harness import Folds
from serbench.plan import Candidate
from serbench.segments import segment_partition
from serbench.store import RunStore
from serbench.verify.findings import Finding
from serbench.verify.rebuild import Stored

TOLERANCE = 2e-3
"""Largest difference of a posterior that another machine's arithmetic may make."""

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.floating]]


def check_models(
    stored: Stored, store: RunStore, folds: Folds, cache: Path, advance: Advance
) -> Finding:
    """Hold the stored posteriors against those of the stored students.

    A teacher's own rows are not recomputed: its head is not kept.
    """
    predictions = store.predictions()
    columns = [f"p_{label}" for label in folds.table.labels]
    methods = {str(method["name"]): method for method in stored.plan["methods"]}
    refits = [fit for fit in store.fits() if fit["inner"] is None]
    differences, worst = [], 0.0
    for number, fit in enumerate(refits, start=1):
        candidate = stored.candidate(methods[fit["method"]], fit["values"])
        test = folds.outer[fit["outer"] - 1].test
        rows = predictions[
            (predictions["method"] == fit["method"])
            & (predictions["outer"] == fit["outer"])
            & (predictions["seed"] == fit["seed"])
        ].set_index("utterance")
        again = _predict(stored, store, candidate, fit, folds, cache)
        kept = rows.reindex(list(test.ids))[columns].to_numpy(dtype=np.float64)
        gap = float(np.abs(again - kept).max())
        worst = max(worst, gap)
        if not gap <= TOLERANCE:  # also where a row is missing
            differences.append(f"{fit['fit']}: posteriors differ by up to {gap:.3g}")
        advance(number, len(refits))
    detail = f"{len(refits)} students predict the same posteriors (greatest difference {worst:.1g})"
    return Finding("students", detail, tuple(differences))


def _predict(
    stored: Stored,
    store: RunStore,
    candidate: Candidate,
    fit: dict[str, object],
    folds: Folds,
    cache: Path,
) -> FloatArray:
    """Posteriors ``(U, C)`` of an outer test side, in its order."""
    table: CorpusTable = folds.table
    outer, seed = int(str(fit["outer"])), int(str(fit["seed"]))
    state = store.read_model(str(fit["method"]), outer, seed)
    settings = candidate.settings
    try:
        normaliser = Normaliser(state.pop("normaliser.mean"), state.pop("normaliser.deviation"))
        shape = StudentShape(len(table.labels), 3, settings.features.n_mels)
        student = candidate.student.build(shape)
        student.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SerbenchError(
            f"{store.model_path(str(fit['method']), outer, seed)} is not the student of "
            f"{fit['fit']} ({reason})"
        ) from error
    test = folds.outer[outer - 1].test
    windows = settings.segments
    ids, posteriors = predict(
        student.to(memory_format=torch.channels_last),  # pyright: ignore[reportCallIssue]
        normaliser,
        log_mel_frames(table, settings.features, cache / "features", lambda *_: None),
        segment_partition(table, test, windows.window_s, windows.overlap_s),
        windows,
        stored.backend(),
        torch.device("cpu"),
    )
    place = {utterance: row for row, utterance in enumerate(ids)}
    return posteriors[[place[utterance] for utterance in test.ids]].astype(np.float64)
