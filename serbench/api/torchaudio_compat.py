"""Makes torchaudio work with a CPU-only torch.

torchaudio's PyPI wheel links CUDA libraries. With a CPU-only torch its import fails with an
``OSError``, and so do transformers' speech encoders, which import torchaudio if it is installed.
Its transforms are plain Python and work without the C++ extension; only forced alignment and the
RNN-T loss need it, and serbench uses neither.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn

_LOG = logging.getLogger(__name__)
_LOCK = threading.Lock()
_EXTENSION = "torchaudio._extension"


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its C++ extension if that cannot be loaded.

    Call it before importing anything that imports torchaudio itself (transformers' speech
    encoders do). It may be called any number of times, from any thread.

    Returns:
        The ``torchaudio`` module; ``import torchaudio`` then finds it too.

    Raises:
        ImportError: torchaudio is not installed, or is broken in another way.
    """
    with _LOCK:
        try:
            return importlib.import_module("torchaudio")
        except OSError as error:
            _LOG.debug(
                "importing torchaudio without its C++ extension, which cannot be loaded: %s", error
            )
        return _import_without_extension()


def _import_without_extension() -> ModuleType:
    """Import torchaudio with a stub of its extension; leave nothing behind on failure."""
    _forget_torchaudio()
    sys.modules[_EXTENSION] = stand_in()
    try:
        return importlib.import_module("torchaudio")
    except BaseException:
        _forget_torchaudio()
        raise


def _forget_torchaudio() -> None:
    """Remove modules of a failed import from ``sys.modules``."""
    for name in [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]:
        del sys.modules[name]


def stand_in() -> ModuleType:
    """A module with the names that torchaudio's Python part takes from its extension."""
    module = ModuleType(_EXTENSION, "Stub: the C++ extension cannot be loaded here.")
    contents: dict[str, object] = {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_check_cuda_version": _check_cuda_version,
        "fail_if_no_align": _fail_if_no_align,
    }
    module.__dict__.update(contents)
    return module


def _check_cuda_version() -> None:
    """Do nothing: without an extension there is no CUDA version to compare."""


def _fail_if_no_align(function: Callable[..., object]) -> Callable[..., NoReturn]:
    """Replace a function that needs the extension by one that raises an error with the reason."""

    def fail(*_args: object, **_kwargs: object) -> NoReturn:
        raise RuntimeError(
            f"{function.__name__} needs torchaudio's C++ extension, which this torch cannot "
            "load; install torchaudio and torch from the same index"
        )

    return fail
