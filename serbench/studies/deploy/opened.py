"""A deployed model as a worker sees it: nothing heavy is imported before a backend asks for it."""

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
    """A class's module and name, to find it again in another process."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_class(path: str) -> Any:
    """The class of ``class_path``."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


class OpenedModel(DeployedModel):
    """What a backend asks for first stands in ``facts``; the rest is read when it is asked for.

    Args:
        facts: ``describe_model`` of it.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.facts["labels"])

    @property
    def onnx(self) -> Path:
        """The graph that is shipped."""
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
        from serbench.settings import FeatureSettings, SegmentSettings

        return WindowPlan(
            FeatureSettings.model_validate(self.facts["features"]),
            SegmentSettings.model_validate(self.facts["segments"]),
        )

    def calibration(self) -> Sequence[Waveforms]:
        """See ``DeployedModel``."""
        return self._whole.calibration()

    @cached_property
    def _whole(self) -> Deployed:
        from serbench.device.export.deployed import Deployed

        return Deployed.read(Path(self.facts["folder"]), _Students(self.facts["student"]))  # pyright: ignore[reportArgumentType]


class _Students:
    """Stands for the installed plugins: it knows the one student that the model is."""

    def __init__(self, path: str) -> None:
        self.path = path

    def get(self, kind: str, name: str) -> type:  # noqa: ARG002 - as Plugins has it
        """The student's class."""
        return find_class(self.path)


def describe_model(model: Deployed) -> dict[str, Any]:
    """JSON from which ``OpenedModel`` is made in a worker."""
    return {
        "folder": str(model.folder.resolve()),
        "onnx": str(model.onnx.resolve()),
        "labels": list(model.labels),
        "window_samples": model.window_samples,
        "features": model.card["features"],
        "segments": model.card["segments"],
        "student": class_path(type(model.student)),
    }
