"""What runtimes with fixed shapes share: one window at a time, and packages that may be missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from serbench.api import DeployedModel, PluginError, WaveformPredictor, Waveforms

WindowPredictor = Callable[[Waveforms, NDArray[np.int64]], NDArray[np.float32]]
"""``predict(window (1, S), length (1,)) -> posteriors (1, C)``."""


def over_windows(model: DeployedModel, predict: WindowPredictor) -> WaveformPredictor:
    """A predictor of waveforms: each cut into windows, each window alone, the mean over them."""

    def utterance(waveform: Waveforms) -> NDArray[np.float64]:
        windows, lengths = model.windows(waveform)
        rows = [predict(windows[[n]], lengths[[n]])[0] for n in range(len(windows))]
        return np.stack(rows).astype(np.float64).mean(axis=0)

    return lambda waveforms: np.stack([utterance(each) for each in waveforms]).astype(np.float32)


def missing(runtime: str, extra: str, packages: Mapping[str, str]) -> str | None:
    """Why a runtime cannot run, None where all of its packages are installed.

    Only looks for the packages: importing one of these takes seconds.

    Args:
        runtime: its name.
        extra: of serbench, that installs it.
        packages: importable name to what the package does, for instance ``the converter``.
    """
    for module, purpose in packages.items():
        if not _is_installed(module):
            return (
                f"{purpose} of {runtime} is not installed (no module {module}): "
                f"pip install 'serbench[{extra}]'"
            )
    return None


def imported(module: str) -> ModuleType:
    """Import an optional package.

    Raises:
        PluginError: it is missing or broken.
    """
    try:
        with quiet():
            return importlib.import_module(module)
    except Exception as error:  # native packages raise whatever they like when they are broken
        raise PluginError(f"{module} cannot be imported: {first_line(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the notes and warnings of converters; native libraries log little."""
    for name, level in (("TF_CPP_MIN_LOG_LEVEL", "3"), ("GLOG_minloglevel", "2")):
        os.environ.setdefault(name, level)
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    logging.disable(logging.ERROR)
    sink = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.handlers[:] = handlers  # without those that would write to the sink
        logging.disable(disabled)


@contextmanager
def converting(runtime: str) -> Iterator[None]:
    """Quietly; whatever a converter raises becomes a ``PluginError`` with the reason."""
    try:
        with quiet():
            yield
    except PluginError:
        raise
    except Exception as error:  # converters document no errors of their own
        raise PluginError(f"{runtime} cannot express this model: {first_line(error)}") from error


@contextmanager
def opening(runtime: str) -> Iterator[None]:
    """Quietly; whatever a runtime raises on loading becomes a ``PluginError`` with the reason."""
    try:
        with quiet():
            yield
    except PluginError:
        raise
    except Exception as error:  # a damaged file surfaces as any error at all
        raise PluginError(f"{runtime} cannot load this model: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
