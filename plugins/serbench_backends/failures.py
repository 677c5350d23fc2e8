"""Handles what converters and runtimes print and raise: output is held back, and errors
become one kind.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from serbench.api import PluginError


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the notes and warnings of converters; native libraries log little."""
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
        logging.root.handlers[:] = handlers  # removes handlers that would write to the sink
        logging.disable(disabled)


@contextmanager
def converting(runtime: str) -> Iterator[None]:
    """Run quietly; any error of a converter becomes a ``PluginError`` with the reason."""
    try:
        with quiet():
            yield
    except PluginError:
        raise
    except Exception as error:  # converters do not document which errors they raise
        raise PluginError(f"{runtime} cannot express this model: {first_line(error)}") from error


@contextmanager
def opening(runtime: str) -> Iterator[None]:
    """Run quietly; any error of a runtime while loading becomes a ``PluginError`` with
    the reason.
    """
    try:
        with quiet():
            yield
    except PluginError:
        raise
    except Exception as error:  # a damaged file can cause any error
        raise PluginError(f"{runtime} cannot load this model: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The message of an error, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
