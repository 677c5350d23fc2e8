"""The student to export: a fold's student, or one that is trained on all speakers for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serbench.api import StoreError, Waveforms
from serbench.device.export.deployed import Trained
from serbench.device.export.parity import PARITY, Parity
from serbench.device.export.refit import refit_all
from serbench.device.export.stored import (
    calibration_audio,
    check_students,
    everyones_audio,
    stored_model,
)
from serbench.errors import listed
from serbench.files.atomic import file_name
from serbench.running.executors.executor import Executor
from serbench.running.replay.run import Replay


@dataclass(frozen=True)
class ExportSource:
    """A trained student, and utterances that it was trained on."""

    trained: Trained
    calibration: tuple[Waveforms, ...]

    def lines(self, parity: Parity, backend: str | None) -> list[str]:
        """What a user should know about the exported model."""
        known = self.trained.provenance
        if "test_ua" in known:
            told = (
                f"{self.trained.name}: {100 * known['test_ua']:.1f} % UA on its own test speakers "
                f"({listed(known['test_speakers'], 40)})."
            )
        else:
            told = (
                f"{self.trained.name}: trained on all {known['training_speakers']} speakers, so "
                "it has no test score; the run's students, each trained on fewer, reach "
                f"{100 * known['cross_validated_ua']:.1f} % UA."
            )
        held = (
            f"Compared with PyTorch on {parity.utterances} utterances: posteriors differ by at "
            f"most {parity.greatest:.1e}"
        )
        if backend is None:
            return [told, f"{held} (limit {PARITY:.0e})."]
        return [
            told,
            f"{held} ({parity.worst}); {parity.changed} utterances get another class. `serbench "
            f"deploy --backends {backend}` measures the effect on the scores.",
        ]


def export_source(
    replay: Replay,
    method: str | None,
    seed: int,
    fold: int | None,
    pretrain_audio: Path | None,
    executor: Executor,
) -> ExportSource:
    """Return a student of a run by method, seed and fold.

    Args:
        replay: a finished, speaker-independent run.
        method: None: the run's first.
        seed: from 0.
        fold: outer fold, from 1; None: train on all speakers.
        pretrain_audio: needed if ``fold`` is None and the run's students were pretrained.
        executor: for steps that can run in parallel.

    Raises:
        StoreError: the run is leaky, or has no such student; see also ``refit_all``.
        RegistryError: the front end or the windows cannot be exported.
        CorpusError, TeacherError, SerbenchError: see ``refit_all``.
    """
    replay.check_proper()
    students = replay.fold_networks(method, [seed])
    check_students(students)  # before anything is trained
    if fold is None:
        trained = refit_all(replay, students, pretrain_audio, executor)
        return ExportSource(trained, everyones_audio(replay))
    student = next((each for each in students if each.outer == fold), None)
    if student is None:
        raise StoreError(f"{replay.run.name} has no outer fold {fold}; it has {len(students)}")
    return ExportSource(stored_model(replay, student), calibration_audio(replay, student))


def default_name(trained: Trained, backend: str | None) -> str:
    """The default file name: ``emodb-akd-fold-1.onnx``,
    ``emodb-akd-all-speakers-onnxruntime-int8.onnx``.
    """
    known = trained.provenance
    which = f"fold-{known['outer_fold']}" if "outer_fold" in known else "all-speakers"
    parts = [known["dataset"], known["method"], which, *([backend] if backend else [])]
    return file_name("-".join(parts).replace("+", "-").replace(":", "-")) + ".onnx"
