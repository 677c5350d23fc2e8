"""Exported models in use: files, arrays and streams. Needs neither torch nor the rest of serbench.

``load`` a model, then ``predict`` with it, or ``stream`` through it.
"""

from serbench.device.runtime.facts import FORMAT, KEY, Facts
from serbench.device.runtime.files import Heard, find_audio, predict_file, predict_files
from serbench.device.runtime.model import Model, Prediction, by_label, load
from serbench.device.runtime.stream import AVERAGE, STEP_S, Step, Stream, Streams
from serbench.device.runtime.throughput import Capacity, capacity

__all__ = [
    "AVERAGE",
    "FORMAT",
    "KEY",
    "STEP_S",
    "Capacity",
    "Facts",
    "Heard",
    "Model",
    "Prediction",
    "Step",
    "Stream",
    "Streams",
    "by_label",
    "capacity",
    "find_audio",
    "load",
    "predict_file",
    "predict_files",
]
