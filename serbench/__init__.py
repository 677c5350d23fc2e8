"""serbench: the speech-emotion-recognition benchmark that cannot be fooled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serbench_runtime import __version__

if TYPE_CHECKING:
    from serbench_runtime import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> object:
    """``serbench.load``, whose ONNX Runtime is not imported before it is wanted."""
    if name == "load":
        from serbench_runtime import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
