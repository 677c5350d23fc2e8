"""Backends to deploy through that need no PyTorch, and what can go wrong with them."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import onnxruntime
import pytest

from serbench.api import (
    Backend,
    DeployedModel,
    Params,
    PluginError,
    WaveformPredictor,
    Waveforms,
)
from serbench.deploy.backends import Candidate, choose_backends
from serbench.deploy.results import Effort
from serbench.deploy.study import DeployStudy, Request, measure_deployment
from serbench.harness import run
from serbench.replay import Replay
from tests_support.replays import open_replay, write_shifting
from tests_support.runs import Watcher, candidate, method, resources, run_plan

QUICK = Effort(
    lengths_s=[0.5, 1.0],
    window_s=1.0,
    batches=[2],
    warm_up_calls=1,
    warm_up_s=0.0,
    budget_s=0.0,
    least_calls=3,
    most_calls=3,
)

Mode = Literal[
    "plain", "flattened", "turned", "wrong", "refuses", "crashes", "falls back", "hangs",
    "crashes later", "missing",
]  # fmt: skip


class FakeParams(Params):
    mode: Mode = "plain"
    count: Path | None = None
    """A file that gets a line for each conversion and each opening."""
    device: Literal["cpu", "cuda"] = "cpu"


class FakeBackend(Backend):
    """The exported graph in ONNX Runtime, in one of several moods."""

    name = "fake"
    Params = FakeParams
    params: FakeParams

    @property
    def precision(self) -> str:
        return "fp32" if self.params.mode == "plain" else self.params.mode

    @property
    def device(self) -> str:
        return self.params.device

    def unavailable(self) -> str | None:
        return "there is none here" if self.params.mode == "missing" else None

    def convert(self, model: DeployedModel, folder: Path) -> None:
        self._note("convert")
        if self.params.mode == "refuses":
            raise PluginError("cannot express a mean")
        if self.params.mode == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.params.mode == "hangs":
            time.sleep(600)
        shutil.copy(model.onnx, folder / "model.onnx")

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        self._note("open")
        mode = self.params.mode
        if mode == "falls back":
            raise PluginError("it would run on the CPU instead")
        if mode == "flattened":
            print("hello from Python")
            ctypes.CDLL(None).puts(b"hello from C")
            os.write(1, b"hello from below\n")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / "model.onnx", options)
        calls = []

        def predict(waveforms: Waveforms) -> Waveforms:
            calls.append(waveforms.shape)
            if mode == "crashes later" and len(waveforms) > 1:
                os.kill(os.getpid(), signal.SIGABRT)
            posteriors = np.asarray(session.run(None, {"waveform": waveforms})[0])
            if mode == "wrong":
                return posteriors * 3
            if mode == "flattened":
                return 0.9 * posteriors + 0.1 / posteriors.shape[1]
            return posteriors[:, ::-1] if mode == "turned" else posteriors

        return predict

    def _note(self, what: str) -> None:
        if self.params.count:
            with self.params.count.open("a") as stream:
                stream.write(f"{what}\n")


class FakeRegistry:
    """Entries of the fake backend by name; ``torch`` is the plain one."""

    datasets: Mapping[str, object] = {}

    def __init__(self, **entries: FakeParams) -> None:
        self.backends = {
            "torch": FakeParams(),
            **{name.replace("_", "-"): params for name, params in entries.items()},
        }

    def make(self, kind: str, name: str) -> FakeBackend:
        assert kind == "backends"
        return FakeBackend(self.backends[name])


def candidates(**modes: Mode) -> tuple[Candidate, ...]:
    """The reference and one candidate for each mode."""
    registry = FakeRegistry(**{name: FakeParams(mode=mode) for name, mode in modes.items()})
    return choose_backends(registry)  # pyright: ignore[reportArgumentType]


def installed(plugins: object) -> object:
    """``plugins`` with the hook that a command asks for."""
    plugins.hook = SimpleNamespace()  # pyright: ignore[reportAttributeAccessIssue]
    return plugins


@dataclass(frozen=True)
class Deployed:
    """A run of two folds, deployed once through backends of every mood."""

    root: Path
    replay: Replay
    registry: FakeRegistry
    study: DeployStudy
    calls: Path

    def measure(self, *names: str, rounds: int = 0, **request: object) -> DeployStudy:
        chosen = choose_backends(self.registry, names)  # pyright: ignore[reportArgumentType]
        return measure_deployment(
            self.replay,
            Request(chosen, rounds=rounds, effort=QUICK, **request),  # pyright: ignore[reportArgumentType]
        )


_made: list[Deployed] = []


def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Made once for all tests of a process, since an export takes seconds."""
    if _made:
        return _made[0]
    root = tmp_path_factory.mktemp("deployed")
    write_shifting(root / "noise", speakers=2, utterances=3)
    plan = run_plan(root / "noise", method("plain", candidate(learning_rate=0.02)))
    run(plan, resources(root, folder=root / "run"), Watcher())
    calls = root / "calls.txt"
    registry = FakeRegistry(
        flat=FakeParams(mode="flattened", count=calls),
        turned=FakeParams(mode="turned", device="cuda"),
        wrong=FakeParams(mode="wrong"),
        refuses=FakeParams(mode="refuses"),
        crashes=FakeParams(mode="crashes"),
        falls_back=FakeParams(mode="falls back"),
        crashes_later=FakeParams(mode="crashes later"),
        missing=FakeParams(mode="missing"),
        missing_gpu=FakeParams(mode="missing", device="cuda"),
    )
    replay = open_replay(root)
    chosen = choose_backends(registry)  # pyright: ignore[reportArgumentType]
    study = measure_deployment(replay, Request(chosen, rounds=1, effort=QUICK))
    _made.append(Deployed(root, replay, registry, study, calls))
    return _made[0]
