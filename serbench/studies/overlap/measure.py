"""Scores stored students with test windows at several overlaps; nothing else changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from serbench.api import Backend, RegistryError
from serbench.errors import joined
from serbench.learning.features import Frames
from serbench.learning.segments import Segment, sliding_windows
from serbench.results.compare.intervals import REPEATS
from serbench.results.compare.methods import comparison
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent, predict_kept
from serbench.running.store.cache import FitCache
from serbench.studies.overlap.records import Longer, OverlapRow, Overlaps

OverlapWindows = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, eq=False)
class Hearing:
    """A student, and the windows that it is to predict.

    Attributes:
        windows: windows of its test side: first as the run cut them, then at each overlap.
        cache: root of the cache.
    """

    student: StoredStudent
    frames: Frames
    windows: tuple[tuple[Segment, ...], ...]
    backend: Backend
    device: torch.device
    cache: Path


Said = tuple[str, list[pd.DataFrame]]
"""A student's name, and a table for each cut into windows: posteriors by utterance and class."""


def measure_overlap(
    replay: Replay,
    overlaps_s: Sequence[float],
    methods: Iterable[str] = (),
    executor: Executor | None = None,
) -> Overlaps:
    """Predict the outer test sides again with windows at each overlap, and score utterances.

    Each student also predicts at the run's own overlap, where its predictions must be those that
    the run has kept. Earlier predictions are read from the cache.

    Args:
        replay: the run.
        overlaps_s: in seconds; differences are taken against the first.
        methods: methods to score; empty: all.
        executor: where students predict; None: here, one after the other.

    Raises:
        StoreError: the run is leaky, has no such method, or a student no longer predicts what the
            run has kept of it.
        RegistryError: no overlap is given, or one that leaves no hop between windows; or each
            utterance of a method is one window.
    """
    replay.check_proper()
    students, notes = _with_windows(replay, tuple(methods))
    overlaps_s = tuple(dict.fromkeys(overlaps_s))
    _check_overlaps(overlaps_s, students)
    hearings = {student.name: _hearing(replay, student, overlaps_s) for student in students}
    said = _heard(replay, list(hearings.values()), executor or LocalExecutor())
    gaps = [
        replay.check_same(student, list(own.index), own.to_numpy())
        for student in students
        for own in said[student.name][:1]
    ]
    by_method = {
        student.method: [each for each in students if each.method == student.method]
        for student in students
    }
    return Overlaps(
        dataset=replay.stored.dataset,
        planned=replay.methods,
        overlaps_s=overlaps_s,
        rows=tuple(
            row
            for method, own in by_method.items()
            for row in _score(
                method,
                pd.concat(_rows(replay, each, overlaps_s, said[each.name][1:]) for each in own),
                replay.table.labels,
                _windows(overlaps_s, own, hearings),
            )
        ),
        longer={method: _longer(replay, own) for method, own in by_method.items()},
        own_overlaps_s=tuple(
            sorted({student.candidate.settings.segments.overlap_s for student in students})
        ),
        gap=max(gaps),
        speakers=len({utterance.speaker for utterance in replay.folds.tested}),
        seeds=len({student.seed for student in students}),
        repeats=REPEATS,
        has_teachers=bool(replay.teachers),
        certificate=replay.certificate,
        notes=(*replay.notes, *notes),
    )


def _with_windows(
    replay: Replay, methods: Sequence[str]
) -> tuple[tuple[StoredStudent, ...], tuple[str, ...]]:
    """The students whose utterances are cut into windows, and a note on the others.

    Raises:
        StoreError: see ``Replay.students_of``.
        RegistryError: there is no such student, or a named method does not cut windows.
    """
    students = replay.students_of(methods)
    cut = tuple(each for each in students if each.candidate.cutting.how == "sliding")
    others = {student.method for student in students} - {student.method for student in cut}
    if not others:
        return cut, ()
    why = f"{joined(sorted(others))}: each utterance is one window, so there is nothing to overlap"
    if methods or not cut:
        raise RegistryError(f"{why}; give other methods")
    return cut, (f"Not in this table: {why}.",)


def _hearing(replay: Replay, student: StoredStudent, overlaps_s: Sequence[float]) -> Hearing:
    return Hearing(
        student=student,
        frames=replay.frames(student.candidate.front_end),
        windows=tuple(replay.segments(student, each) for each in (None, *overlaps_s)),
        backend=replay.stored.backend(),
        device=replay.device,
        cache=replay.cache,
    )


def _heard(
    replay: Replay, hearings: Sequence[Hearing], executor: Executor
) -> dict[str, list[pd.DataFrame]]:
    """The predictions of every student, by its name; see ``Said``."""
    found: dict[str, list[pd.DataFrame]] = {}
    try:
        for _, (name, said) in executor.each_call(hear, hearings):
            found[name] = said
            replay.watch.advance("overlap", len(found), len(hearings))
    finally:
        executor.shut_down()
    return found


def hear(hearing: Hearing) -> Said:
    """Predict with each cut of the utterances into windows; earlier results come from the cache."""
    student, cache = hearing.student, FitCache(hearing.cache, "replays")
    said = []
    for windows in hearing.windows:
        ids, posteriors = predict_kept(
            student, hearing.frames, windows, hearing.backend, hearing.device, cache
        )
        said.append(pd.DataFrame(posteriors, index=list(ids)))
    student.release()
    return student.name, said


def _windows(
    overlaps_s: Sequence[float],
    students: Sequence[StoredStudent],
    hearings: Mapping[str, Hearing],
) -> dict[float, OverlapWindows]:
    """Test windows of a method with its first seed: by overlap, then by utterance."""
    first = min(student.seed for student in students)
    own = [hearings[student.name] for student in students if student.seed == first]
    found: dict[float, dict[str, list[tuple[float, float]]]] = {each: {} for each in overlaps_s}
    for hearing in own:
        for cut, windows in zip(found.values(), hearing.windows[1:], strict=True):
            for each in windows:
                cut.setdefault(each.utt_id, []).append((each.t_start_s, each.t_end_s))
    return dict(found)


def _check_overlaps(overlaps_s: Sequence[float], students: Iterable[StoredStudent]) -> None:
    """
    Raises:
        RegistryError: there is no overlap, or one that leaves no hop.
    """
    if not overlaps_s:
        raise RegistryError("give at least one overlap, in seconds")
    for student in students:
        window_s = student.candidate.settings.segments.window_s
        for overlap_s in overlaps_s:
            try:
                sliding_windows(window_s, window_s, overlap_s)
            except RegistryError as error:
                raise RegistryError(
                    f"overlap {overlap_s:g} s does not fit {student.method}: {error}"
                ) from error


def _rows(
    replay: Replay,
    student: StoredStudent,
    overlaps_s: Sequence[float],
    said: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    """Rows as ``comparison`` reads them, with the overlap instead of the method."""
    table, names = replay.table, np.array(replay.table.labels)
    parts = []
    for overlap_s, posteriors in zip(overlaps_s, said, strict=True):
        ids = [str(each) for each in posteriors.index]
        parts.append(
            pd.DataFrame(
                {
                    "method": _name(overlap_s),
                    "seed": student.seed,
                    "outer": student.outer,
                    "utterance": ids,
                    "speaker": [table.by_id[i].speaker for i in ids],
                    "label": names[replay.labels_of(ids)],
                    "predicted": names[posteriors.to_numpy().argmax(axis=1)],
                }
            )
        )
    return pd.concat(parts)


def _name(overlap_s: float) -> str:
    return repr(float(overlap_s))


def _score(
    method: str,
    table: pd.DataFrame,
    labels: Sequence[str],
    windows: Mapping[float, OverlapWindows],
) -> list[OverlapRow]:
    """A method's rows, the first overlap being the reference."""
    overlaps_s = list(windows)
    names = [_name(each) for each in overlaps_s]
    compared = comparison(table, labels, names, question="models")
    base = _predicted(table, overlaps_s[0])
    return [
        OverlapRow(
            method=method,
            overlap_s=overlap_s,
            windows=sum(map(len, windows[overlap_s].values())),
            recut=_recut(windows[overlap_s], windows[overlaps_s[0]]),
            changed=int((_predicted(table, overlap_s) != base).sum()),
            wa=result.pooled["wa"],
            ua=result.pooled["ua"],
            difference=result.difference,
        )
        for overlap_s, result in zip(overlaps_s, compared.methods, strict=True)
    ]


def _predicted(table: pd.DataFrame, overlap_s: float) -> NDArray[np.str_]:
    """Predicted classes by seed and utterance, in an order that all overlaps share."""
    own = table.loc[table["method"] == _name(overlap_s)]
    ordered = own.set_index(["seed", "utterance"]).sort_index()
    return ordered["predicted"].to_numpy(dtype=np.str_)


def _recut(windows: OverlapWindows, base: OverlapWindows) -> int:
    """Number of utterances whose windows differ."""
    return sum(
        len(cut) != len(base[utterance])
        or not all(math.isclose(a, b) for one, other in zip(cut, base[utterance], strict=True)
                   for a, b in zip(one, other, strict=True))
        for utterance, cut in windows.items()
    )  # fmt: skip


def _longer(replay: Replay, students: Sequence[StoredStudent]) -> Longer:
    """Count test utterances over the folds of one seed."""
    first = min(student.seed for student in students)
    tested = [
        (replay.table.by_id[i].duration_s, student.candidate.settings.segments.window_s)
        for student in students
        if student.seed == first
        for i in replay.folds.outer[student.outer - 1].test.ids
    ]
    return Longer(
        window_s=max(window_s for _, window_s in tested),
        longer=sum(duration_s > window_s for duration_s, window_s in tested),
        utterances=len(tested),
    )
