"""serbench: the speech-emotion-recognition benchmark that cannot be fooled."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from serbench_runtime import __version__

if TYPE_CHECKING:
    from serbench.benchmark.corpora import corpus, folds
    from serbench.benchmark.names import datasets, methods
    from serbench.benchmark.read import Run
    from serbench.benchmark.run import run
    from serbench.errors import SerbenchError
    from serbench_runtime import load

__all__ = [
    "Run",
    "SerbenchError",
    "__version__",
    "corpus",
    "datasets",
    "folds",
    "load",
    "methods",
    "run",
]

PLACES = {
    "Run": "serbench.benchmark.read",
    "SerbenchError": "serbench.errors",
    "corpus": "serbench.benchmark.corpora",
    "datasets": "serbench.benchmark.names",
    "folds": "serbench.benchmark.corpora",
    "load": "serbench_runtime",
    "methods": "serbench.benchmark.names",
    "run": "serbench.benchmark.run",
}
"""Module of each name; it is imported at the name's first use, so that ``import serbench`` is fast.
"""


def __getattr__(name: str) -> object:
    """Import a name of ``PLACES`` from its module."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
