"""A trained student in a folder of its own, in the form that backends receive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from serbench.api import (
    SAMPLE_RATE_HZ,
    DeployedModel,
    FrontEnd,
    PluginError,
    RegistryError,
    StoreError,
    Student,
    Waveforms,
)
from serbench.device.export.graph import waveform_graph, window_graph
from serbench.device.export.modules import (
    Core,
    WaveformModel,
    WindowModel,
    check_exportable,
    no_windows,
)
from serbench.device.windows import WindowPlan
from serbench.files.atomic import write_atomically
from serbench.learning.features import Normaliser
from serbench.learning.front_ends import shape_of
from serbench.running.plugins import Plugins
from serbench.settings import SegmentSettings
from serbench_runtime import FORMAT
from serbench_runtime.audio.read import SHORTEST_S

CARD, WEIGHTS = "model.json", "student.safetensors"
GRAPH, WINDOW_GRAPH = "model.onnx", "window.onnx"
CALIBRATION = "calibration.npz"
MEAN, DEVIATION = "normaliser.mean", "normaliser.deviation"


@dataclass(frozen=True)
class Trained:
    """A trained student with everything that is needed to use it.

    Attributes:
        name: its name, for instance ``akd/seed-0/outer-1``.
        student: the plugin that builds the network.
        network: the network with its weights.
        normaliser: normaliser of its training side.
        labels: the C classes, in the order of the posteriors.
        front_end: the front end that makes the student's input.
        segments: how utterances are cut.
        provenance: JSON about its origin.
    """

    name: str
    student: Student
    network: nn.Module
    normaliser: Normaliser
    labels: tuple[str, ...]
    front_end: FrontEnd
    segments: SegmentSettings
    provenance: Mapping[str, Any]

    @property
    def plan(self) -> WindowPlan:
        """The windows that the deployed model reads.

        Raises:
            RegistryError: the windows cannot be exported.
        """
        return WindowPlan(self.front_end.framing, self.segments)

    @property
    def facts(self) -> dict[str, Any]:
        """The facts in the metadata of its graphs."""
        from serbench import __version__

        return {
            "format": FORMAT,
            "serbench_version": __version__,
            "name": self.name,
            "labels": list(self.labels),
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "shortest_s": SHORTEST_S,
            "window_s": self.segments.window_s,
            "overlap_s": self.segments.overlap_s,
            "cut": self.plan.cut_how,
            "student": {
                "plugin": self.student.name,
                "params": self.student.params.model_dump(mode="json"),
                "parameters": sum(each.numel() for each in self.network.parameters()),
            },
            "provenance": dict(self.provenance),
        }

    def graph(self) -> onnx.ModelProto:
        """The exported graph; see ``graph.waveform_graph``.

        Raises:
            RegistryError: the front end or the windows cannot be exported.
        """
        check_exportable(self.front_end, self.plan)
        core = Core(self.network, self.normaliser, self.front_end).eval()
        return waveform_graph(core, self.front_end, self.plan, self.facts)

    def write(self, folder: Path, calibration: Sequence[Waveforms] = ()) -> Deployed:
        """Write the model into ``folder``, the card last.

        Args:
            folder: the folder; it is made if it does not exist.
            calibration: training-side utterances.

        Raises:
            RegistryError: see ``graph``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: each.detach().cpu().contiguous() for name, each in self._state().items()}
        save_file(state, folder / WEIGHTS)
        write_atomically(folder / GRAPH, self.graph().SerializeToString())
        if not no_windows(self.front_end, self.plan):
            window = WindowModel(self.network, self.normaliser, self.front_end, self.plan).eval()
            graph = window_graph(window, self.plan, self.facts)
            write_atomically(folder / WINDOW_GRAPH, graph.SerializeToString())
        kept = {f"{n:06}": waveform for n, waveform in enumerate(calibration)}
        np.savez(folder / CALIBRATION, allow_pickle=False, **kept)
        card = {
            **self.facts,
            "front_end": {
                "plugin": self.front_end.name,
                "params": self.front_end.params.model_dump(mode="json"),
            },
            "framing": asdict(self.plan.framing) if self.plan.framing else None,
            "segments": self.segments.model_dump(mode="json"),
        }
        text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
        write_atomically(folder / CARD, text.encode())
        return Deployed(folder, self.student, self.front_end, card)

    def _state(self) -> dict[str, Tensor]:
        own = {MEAN: self.normaliser.mean, DEVIATION: self.normaliser.deviation}
        return {**self.network.state_dict(), **own}


@dataclass(frozen=True)
class Deployed(DeployedModel):
    """A model that ``Trained.write`` wrote.

    Attributes:
        folder: its folder.
        student: the plugin that builds the network.
        front_end: the plugin that makes its input.
        card: content of ``model.json``.
    """

    folder: Path
    student: Student
    front_end: FrontEnd
    card: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path, plugins: Plugins) -> Deployed:
        """
        Raises:
            StoreError: there is no such model, or it is damaged.
            PluginError: the plugin of its student or front end is not installed.
        """
        path = folder / CARD
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            student = _plugin(plugins, "students", card["student"])
            front_end = _plugin(plugins, "front_ends", card["front_end"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{path} is missing or damaged ({reason})") from error
        return cls(folder, student, front_end, card)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.card["labels"])

    @property
    def onnx(self) -> Path:
        """The exported graph."""
        return self.folder / GRAPH

    @cached_property
    def plan(self) -> WindowPlan:
        """The windows that the deployed model reads.

        Raises:
            StoreError: the settings are unknown to this version.
        """
        try:
            return WindowPlan.read(self.card)
        except (KeyError, TypeError, ValidationError) as error:
            raise StoreError(
                f"another version of serbench wrote {self.folder / CARD} ({error})"
            ) from error

    @property
    def window_samples(self) -> int:
        """S of ``window_module``; 0 if there is none."""
        return 0 if self.plan.whole else self.plan.samples

    def module(self) -> nn.Module:
        """See ``DeployedModel``."""
        model = (
            WaveformModel(*self._trained(), self.front_end, self.plan).eval().requires_grad_(False)
        )
        return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def window_module(self) -> nn.Module:
        """See ``DeployedModel``."""
        try:
            model = WindowModel(*self._trained(), self.front_end, self.plan)
        except RegistryError as error:
            raise PluginError(str(error)) from error
        return model.eval().requires_grad_(False)

    @property
    def window_onnx(self) -> Path:
        """See ``DeployedModel``."""
        path = self.folder / WINDOW_GRAPH
        if not path.exists():
            raise PluginError(no_windows(self.front_end, self.plan) or f"{path} is missing")
        return path

    def windows(self, waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
        """See ``DeployedModel``."""
        return self.plan.cut(waveform)

    def calibration(self) -> Sequence[Waveforms]:
        """See ``DeployedModel``."""
        with np.load(self.folder / CALIBRATION, allow_pickle=False) as file:
            return [file[name] for name in sorted(file.files)]

    def _trained(self) -> tuple[nn.Module, Normaliser]:
        path = self.folder / WEIGHTS
        try:
            state = load_file(path)
            normaliser = Normaliser(state.pop(MEAN), state.pop(DEVIATION))
            shape = shape_of(self.front_end, len(self.labels))
            network = self.student.build(shape)
            network.load_state_dict(state)
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"{path} is missing, damaged, or written by other code ({reason})"
            ) from error
        return network, normaliser


def _plugin(plugins: Plugins, kind: str, entry: Mapping[str, Any]) -> Any:
    cls: Any = plugins.get(kind, entry["plugin"])
    return cls(cls.Params.model_validate(entry["params"]))
