"""Score stored students with test windows at several overlaps; nothing else is touched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.api import RegistryError
from serbench.learning.segments import Segment, sliding_windows
from serbench.protocol.guard.certificate import Certificate
from serbench.results.compare.intervals import REPEATS
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference, Estimate
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent

DEFAULT_OVERLAPS_S = (0.0, 0.25, 0.5)
"""Those of the paper's Table 1, in seconds."""

SAME = "same classes"
"""The verdict on two overlaps that give every utterance the same class."""

Windows = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """One method at one overlap, all test utterances of all seeds pooled.

    Attributes:
        overlap_s: of neighbouring windows, in seconds.
        windows: test windows, of one seed.
        recut: utterances that are cut into other windows than at the first overlap.
        changed: utterances that are given another class than at the first overlap; over all seeds.
        difference: of pooled UA to the first overlap, paired; None for the first itself.
    """

    method: str
    overlap_s: float
    windows: int
    recut: int
    changed: int
    wa: Estimate
    ua: Estimate
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """What the difference says; where no utterance changed its class, that."""
        if self.difference is None:
            return "reference"
        return self.difference.verdict if self.changed else SAME


@dataclass(frozen=True, slots=True)
class Longer:
    """How many test utterances are longer than a window.

    Attributes:
        window_s: a method's window, in seconds; the longest where its folds chose several.
        longer: utterances longer than their window.
        utterances: all of them.
    """

    window_s: float
    longer: int
    utterances: int


@dataclass(frozen=True, slots=True)
class OverlapStudy:
    """Methods by overlaps.

    Attributes:
        longer: by method.
        own_overlaps_s: the run's own overlaps, where its predictions were met again.
        gap: greatest difference of a posterior there.
        notes: what replays must say of themselves.
    """

    dataset: str
    overlaps_s: tuple[float, ...]
    rows: tuple[OverlapRow, ...]
    longer: Mapping[str, Longer]
    own_overlaps_s: tuple[float, ...]
    gap: float
    speakers: int
    seeds: int
    repeats: int
    has_teachers: bool
    certificate: Certificate
    notes: tuple[str, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the plan."""
        return tuple(self.longer)

    def of(self, method: str) -> tuple[OverlapRow, ...]:
        """A method's rows, the first overlap first."""
        return tuple(row for row in self.rows if row.method == method)


@dataclass(slots=True)
class _Heard:
    """What students have said so far.

    Attributes:
        tables: predictions of each method, a table per student and overlap.
        windows: test windows of one seed, by method and overlap, then utterance.
        gap: greatest difference of a posterior to the run's own.
    """

    tables: dict[str, list[pd.DataFrame]]
    windows: dict[tuple[str, float], dict[str, list[tuple[float, float]]]]
    gap: float


def measure_overlap(
    replay: Replay,
    overlaps_s: Sequence[float] = DEFAULT_OVERLAPS_S,
    methods: Iterable[str] = (),
) -> OverlapStudy:
    """Predict the outer test sides again with windows at each overlap, and score utterances.

    Each student also predicts at the run's own overlap, where it must give the predictions that
    the run has kept. What was once predicted is read from the cache.

    Args:
        replay: the run.
        overlaps_s: in seconds; differences are taken against the first.
        methods: those to score; none: all.

    Raises:
        StoreError: the run is leaky, has no such method, or a student no longer predicts what the
            run has kept of it.
        RegistryError: no overlap, or one that leaves no hop between windows.
    """
    replay.check_proper()
    students = replay.students_of(methods)
    overlaps_s = tuple(dict.fromkeys(overlaps_s))
    _check_overlaps(overlaps_s, students)
    heard = _Heard({}, {}, 0.0)
    first_seed = min(student.seed for student in students)
    advance = partial(replay.watch.advance, "overlap")
    for number, student in enumerate(students, start=1):
        _hear(replay, student, overlaps_s, heard, cuts=student.seed == first_seed)
        advance(number, len(students))
    rows = tuple(
        row
        for method, parts in heard.tables.items()
        for row in _score(
            method,
            pd.concat(parts),
            replay.table.labels,
            {overlap_s: heard.windows[method, overlap_s] for overlap_s in overlaps_s},
        )
    )
    own = {student.candidate.settings.segments.overlap_s for student in students}
    return OverlapStudy(
        dataset=replay.stored.dataset,
        overlaps_s=overlaps_s,
        rows=rows,
        longer={method: _longer(replay, students, method) for method in heard.tables},
        own_overlaps_s=tuple(sorted(own)),
        gap=heard.gap,
        speakers=len({utterance.speaker for utterance in replay.folds.tested}),
        seeds=len({student.seed for student in students}),
        repeats=REPEATS,
        has_teachers=bool(replay.teachers),
        certificate=replay.certificate,
        notes=replay.notes,
    )


def _hear(
    replay: Replay,
    student: StoredStudent,
    overlaps_s: Sequence[float],
    heard: _Heard,
    *,
    cuts: bool,
) -> None:
    """Add what one student says at every overlap, and where ``cuts``, what windows it hears.

    Raises:
        StoreError: it no longer predicts what the run has kept of it.
    """
    heard.gap = max(heard.gap, _reproduce(replay, student))
    for overlap_s in overlaps_s:
        segments = replay.segments(student, overlap_s)
        posteriors = _posteriors(replay, student, segments)
        rows = _rows(replay, student, overlap_s, posteriors)
        heard.tables.setdefault(student.method, []).append(rows)
        if cuts:
            cut = heard.windows.setdefault((student.method, overlap_s), {})
            for each in segments:
                cut.setdefault(each.utt_id, []).append((each.t_start_s, each.t_end_s))
    student.release()


def _check_overlaps(overlaps_s: Sequence[float], students: Iterable[StoredStudent]) -> None:
    """
    Raises:
        RegistryError: there is none, or one that leaves no hop.
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


def _reproduce(replay: Replay, student: StoredStudent) -> float:
    """Predict as the run did, and hold it against what the run has kept.

    Raises:
        StoreError: it differs.
    """
    posteriors = _posteriors(replay, student, replay.segments(student))
    return replay.check_same(student, list(posteriors.index), posteriors.to_numpy())


def _posteriors(
    replay: Replay, student: StoredStudent, segments: Sequence[Segment]
) -> pd.DataFrame:
    """Utterances by classes."""
    frames = replay.frames(student.candidate.settings.features)
    ids, posteriors = replay.predict_kept(student, frames, segments)
    return pd.DataFrame(posteriors, index=list(ids), columns=list(replay.table.labels))


def _rows(
    replay: Replay, student: StoredStudent, overlap_s: float, posteriors: pd.DataFrame
) -> pd.DataFrame:
    """As ``serbench.results.compare`` reads them, the overlap in the place of the method."""
    table, names = replay.table, np.array(replay.table.labels)
    ids = list(posteriors.index)
    return pd.DataFrame(
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


def _name(overlap_s: float) -> str:
    return repr(float(overlap_s))


def _score(
    method: str,
    table: pd.DataFrame,
    labels: Sequence[str],
    windows: Mapping[float, Windows],
) -> list[OverlapRow]:
    """A method's rows, the first overlap being the reference."""
    overlaps_s = list(windows)
    compared = comparison(table, labels, [_name(each) for each in overlaps_s])
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


def _recut(windows: Windows, base: Windows) -> int:
    """Utterances whose windows are others."""
    return sum(
        len(cut) != len(base[utterance])
        or not all(math.isclose(a, b) for one, other in zip(cut, base[utterance], strict=True)
                   for a, b in zip(one, other, strict=True))
        for utterance, cut in windows.items()
    )  # fmt: skip


def _longer(replay: Replay, students: Sequence[StoredStudent], method: str) -> Longer:
    """Counted over the folds of one seed."""
    own = [student for student in students if student.method == method]
    first = min(student.seed for student in own)
    tested = [
        (replay.table.by_id[i].duration_s, student.candidate.settings.segments.window_s)
        for student in own
        if student.seed == first
        for i in replay.folds.outer[student.outer - 1].test.ids
    ]
    return Longer(
        window_s=max(window_s for _, window_s in tested),
        longer=sum(duration_s > window_s for duration_s, window_s in tested),
        utterances=len(tested),
    )
