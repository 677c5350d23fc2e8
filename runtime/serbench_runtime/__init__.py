"""Use exported models on files, arrays and streams. Needs neither torch nor serbench.

``load`` a model, then ``predict`` with it, or ``stream`` through it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serbench_runtime.errors import CorpusError, ModelError, SerbenchError, WaveformError
    from serbench_runtime.facts import FORMAT, KEY, Facts
    from serbench_runtime.files import Heard, find_audio, predict_file, predict_files
    from serbench_runtime.model import Model, Prediction, by_label, load
    from serbench_runtime.stream import AVERAGE, STEP_S, Step, Stream, Streams
    from serbench_runtime.throughput import Capacity, capacity
    from serbench_runtime.waveform import SAMPLE_RATE_HZ

__version__ = "0.1.0"
"""Version of serbench and of this package: they are released together."""

__all__ = [
    "AVERAGE",
    "FORMAT",
    "KEY",
    "SAMPLE_RATE_HZ",
    "STEP_S",
    "Capacity",
    "CorpusError",
    "Facts",
    "Heard",
    "Model",
    "ModelError",
    "Prediction",
    "SerbenchError",
    "Step",
    "Stream",
    "Streams",
    "WaveformError",
    "__version__",
    "by_label",
    "capacity",
    "find_audio",
    "load",
    "predict_file",
    "predict_files",
]


_MODULES = ("errors", "waveform", "facts", "model", "stream", "files", "throughput")
"""Modules of the public names, in the order in which they are searched."""


def __getattr__(name: str) -> object:
    """Import a public name at its first use, with its module and ONNX Runtime."""
    if name in __all__:
        modules = (import_module(f"{__name__}.{module}") for module in _MODULES)
        return next(getattr(module, name) for module in modules if hasattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
