"""All errors that a user can cause. The command line prints only the message and exits with 2.

Errors of prediction and streaming, and helpers for messages, are in serbench_runtime.
"""

from __future__ import annotations

from collections.abc import Sequence

from serbench_runtime.errors import (
    CorpusError,
    ModelError,
    SerbenchError,
    WaveformError,
    did_you_mean,
    joined,
    listed,
    near_names,
    numbered,
    visible,
)

__all__ = [
    "CorpusError",
    "LeakageError",
    "ModelError",
    "OutOfTimeError",
    "PluginError",
    "RegistryError",
    "SerbenchDeprecationWarning",
    "SerbenchError",
    "SplitError",
    "StoreError",
    "TeacherError",
    "WaveformError",
    "did_you_mean",
    "joined",
    "listed",
    "near_names",
    "numbered",
    "visible",
]


class RegistryError(SerbenchError):
    """The registry, a file that extends it, or a ``--set`` does not fit the schema."""


class PluginError(SerbenchError):
    """A plugin is missing, could not be loaded, or broke its contract."""


class TeacherError(SerbenchError):
    """A teacher is not available, or cannot be loaded or run."""


class SplitError(SerbenchError):
    """The requested folds cannot be made from this corpus."""


class StoreError(SerbenchError):
    """A run folder cannot be read or written."""


class OutOfTimeError(SerbenchError):
    """The time of ``--stop-after`` is over; the same command continues the run."""

    exit_code = 75
    """``EX_TEMPFAIL`` of BSD's sysexits: try again."""


class SerbenchDeprecationWarning(DeprecationWarning):
    """A plugin uses a part of ``serbench.api`` that a later version will not have."""


class LeakageError(SerbenchError):
    """The guard found a leak.

    Attributes:
        code: ``"L1"`` … ``"L10"``, as in the protocol.
        units: the speakers, utterances or segments that leak.
        hint: what to do about it.
    """

    def __init__(self, code: str, message: str, units: Sequence[str] = (), hint: str = "") -> None:
        self.code = code
        self.units = tuple(units)
        self.reason = message
        self.hint = hint
        named = f": {listed(self.units)}" if self.units else ""
        super().__init__(f"leakage {code}: {message}{named}" + (f". {hint}" if hint else ""))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.reason, self.units, self.hint)
