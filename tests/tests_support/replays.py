"""A finished run on the noise corpus whose students are kept, to be replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from serbench.api import PluginError
from serbench.learning.features import Frames
from serbench.learning.segments import Segment
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench.running.replay.run import Replay
from serbench.running.replay.students import predict_windows
from serbench_akd.akd import Akd
from serbench_backends.torch import TorchBackend
from serbench_baselines.ce import CrossEntropy
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_front_ends.log_mel import LogMel
from serbench_teachers.functionals import Functionals
from tests_support.pretraining import Heir, Hinted, MapStudent
from tests_support.runs import LinearStudent, Watcher, candidate, method, resources, run_plan
from tests_support.tables import LABELS, Noise

PLUGINS: dict[str, Any] = {
    cls.name: cls
    for cls in (
        *(Noise, LinearStudent, MapStudent, Heir, CrossEntropy, Distillation, Hinted, Akd),
        *(TorchBackend, Functionals, LogMel),
    )
}


class Installed:
    """Stands for the installed plugins."""

    def get(self, kind: str, name: str) -> Any:
        if name not in PLUGINS:
            raise PluginError(f"there is no {name} among {kind}")
        return PLUGINS[name]


def write_shifting(folder: Path, speakers: int, utterances: int) -> None:
    """Noise that goes back and forth between "high" and "low", a little more often to its label's
    side: what is heard depends on the window. 0.6 to 2 s, ``utterances`` per speaker and label.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for speaker in range(speakers):
        for label in LABELS:
            for take in range(utterances):
                pieces = []
                for _ in range(int(rng.integers(3, 11))):
                    x = rng.normal(0, 0.1, 3200)
                    true = (label == "high") == (rng.random() < 0.6)
                    pieces.append(np.diff(x, prepend=0.0) if true else np.cumsum(x) * 0.05)
                x = np.clip(np.concatenate(pieces), -1, 1).astype(np.float32)
                soundfile.write(folder / f"s{speaker}_{label}_{take}.wav", x, 16_000)


def make_replayable(root: Path, **protocol: Any) -> Path:
    """``root/noise``, and ``root/run`` on it: two methods, a teacher, one fold per speaker."""
    write_shifting(root / "noise", speakers=4, utterances=4)
    taught = method("taught", candidate(loss=Distillation(DistillationParams())))
    plain = method("plain", candidate(learning_rate=0.02))
    plan = run_plan(root / "noise", taught, plain, **protocol)
    return run(plan, resources(root, folder=root / "run"), Watcher())


def open_replay(root: Path, watch: Observer | None = None) -> Replay:
    return Replay.open(
        root / "run",
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=watch or Observer(),
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def predicted(
    replay: Replay, student: Any, frames: Frames, segments: Sequence[Segment]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Ids and posteriors of a student's windows, computed anew."""
    return predict_windows(student, frames, segments, replay.stored.backend(), replay.device)
