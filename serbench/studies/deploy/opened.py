"""A deployed model as a worker receives it: heavy imports happen only when a backend needs them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from serbench.api import DeployedModel, Waveforms

if TYPE_CHECKING:
    from torch import nn

    from serbench.device.export.deployed import Deployed
    from serbench.device.windows import WindowPlan


def class_path(cls: type) -> str:
    """A class's module and name, with which another process finds it."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_class(path: str) -> Any:
    """The class that ``class_path`` has described."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


class OpenedModel(DeployedModel):
    """A deployed model whose first facts are in ``facts``; the rest is read when it is needed.

    Args:
        facts: the result of ``describe_model``.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.facts["labels"])

    @property
    def onnx(self) -> Path:
        """The exported graph."""
        return Path(self.facts["onnx"])

    @property
    def window_samples(self) -> int:
        """S of ``window_module``."""
        return int(self.facts["window_samples"])

    @property
    def window_onnx(self) -> Path:
        """See ``DeployedModel``."""
        return self._whole.window_onnx

    def module(self) -> nn.Module:
        """See ``DeployedModel``."""
        return self._whole.module()

    def window_module(self) -> nn.Module:
        """See ``DeployedModel``."""
        return self._whole.window_module()

    def windows(self, waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
        """See ``DeployedModel``."""
        return self._plan.cut(waveform)

    @cached_property
    def _plan(self) -> WindowPlan:
        from serbench.device.windows import WindowPlan

        return WindowPlan.read(self.facts)

    def calibration(self) -> Sequence[Waveforms]:
        """See ``DeployedModel``."""
        return self._whole.calibration()

    @cached_property
    def _whole(self) -> Deployed:
        from serbench.device.export.deployed import Deployed

        paths = {"students": self.facts["student"], "front_ends": self.facts["front_end_class"]}
        return Deployed.read(Path(self.facts["folder"]), _Own(paths))  # pyright: ignore[reportArgumentType]


class _Own:
    """Replaces the installed plugins in a worker: it knows only the model's own classes."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.paths = paths

    def get(self, kind: str, name: str) -> type:  # noqa: ARG002 - as Plugins has it
        """The class of that kind."""
        return find_class(self.paths[kind])


def describe_model(model: Deployed) -> dict[str, Any]:
    """JSON from which a worker makes an ``OpenedModel``."""
    return {
        "folder": str(model.folder.resolve()),
        "onnx": str(model.onnx.resolve()),
        "labels": list(model.labels),
        "window_samples": model.window_samples,
        "framing": model.card["framing"],
        "segments": model.card["segments"],
        "student": class_path(type(model.student)),
        "front_end_class": class_path(type(model.front_end)),
    }
