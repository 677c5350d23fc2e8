"""The students of a finished run, ready to be exported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from serbench.api import Waveforms
from serbench.device.export.deployed import Trained
from serbench.device.export.modules import check_exportable
from serbench.device.export.score import fold_score
from serbench.device.windows import WindowPlan
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench_runtime.audio.read import read_waveform

CALIBRATION_UTTERANCES = 64
"""Number of training-side utterances with which a quantization is calibrated."""


def check_students(students: Iterable[StoredStudent]) -> None:
    """
    Raises:
        RegistryError: a front end or windows cannot be exported.
    """
    for student in students:
        front_end, segments = student.candidate.front_end, student.candidate.settings.segments
        check_exportable(front_end, WindowPlan(front_end.framing, segments))


def stored_model(replay: Replay, student: StoredStudent) -> Trained:
    """A student of a run's outer fold, with its origin.

    Raises:
        StoreError: its weights are damaged or do not fit its code.
        RegistryError: its front end or windows cannot be exported.
    """
    split = replay.folds.outer[student.outer - 1]
    speakers = {replay.table.by_id[utterance].speaker for utterance in split.test.ids}
    dataset = replay.plan["dataset"]
    return Trained(
        name=student.name,
        student=student.candidate.student,
        network=student.module.eval(),
        normaliser=student.normaliser,
        labels=tuple(replay.table.labels),
        front_end=student.candidate.front_end,
        segments=student.candidate.settings.segments,
        provenance={
            "trained": "outer fold of a run",
            "run": replay.run.name,
            "plan_digest": replay.plan["digest"],
            "certificate_digest": replay.certificate.digest,
            "dataset": dataset["name"],
            "corpus_digest": dataset["corpus_digest"],
            "method": student.method,
            "seed": student.seed,
            "outer_fold": student.outer,
            "test_speakers": sorted(speakers),
            "test_ua": fold_score(replay, student),
            "training_utterances": len(split.train.ids),
        },
    )


def calibration_audio(replay: Replay, student: StoredStudent) -> tuple[Waveforms, ...]:
    """Utterances of the student's own training side, evenly spread over it.

    Raises:
        CorpusError: an audio file can no longer be read.
    """
    return _spread(replay, replay.folds.outer[student.outer - 1].train.ids)


def everyones_audio(replay: Replay) -> tuple[Waveforms, ...]:
    """Utterances of the whole corpus, for a student that was trained on all of it.

    Raises:
        CorpusError: an audio file can no longer be read.
    """
    return _spread(replay, replay.table.ids)


def _spread(replay: Replay, ids: Sequence[str]) -> tuple[Waveforms, ...]:
    count = min(CALIBRATION_UTTERANCES, len(ids))
    chosen = np.linspace(0, len(ids) - 1, count).round().astype(int)
    return tuple(read_waveform(replay.table.by_id[ids[int(n)]].path) for n in chosen)
