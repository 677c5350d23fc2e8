"""What converters and runtimes print and raise: held back, or told as one kind of error."""

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
