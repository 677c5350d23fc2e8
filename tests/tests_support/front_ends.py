"""Front ends by name, as plans make them."""

from __future__ import annotations

from typing import Any

from serbench.api import FrontEnd
from serbench_front_ends.log_mel import LogMel
from serbench_front_ends.waveform import Waveform
from serbench_front_ends.whisper import Whisper

CLASSES: dict[str, type[Any]] = {each.name: each for each in (LogMel, Whisper, Waveform)}


def front_end(name: str = "log-mel", **params: object) -> FrontEnd:
    """A front end with these parameters."""
    cls = CLASSES[name]
    return cls(cls.Params.model_validate(params))


LOG_MEL = front_end()
