"""``serbench.methods`` and ``serbench.datasets``: names that runs take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pandas as pd

from serbench.benchmark.arguments import PathLike, place
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry


def methods(registry: PathLike | None = None) -> pd.DataFrame:
    """The methods of the registry; ``serbench.run`` also takes ``STUDENT+LOSS``.

    Args:
        registry: a file that extends the registry. Default: ``./serbench.toml``, if it exists.

    Returns:
        ``method``, ``student``, ``loss`` (None: the student is fitted without one), ``summary``.

    Raises:
        RegistryError: the registry has errors.

    Examples:
        >>> import serbench
        >>> "akd" in set(serbench.methods()["method"])
        True
    """
    known = _registry(registry)
    return pd.DataFrame(
        {"method": name, "student": spec.student, "loss": spec.loss, "summary": spec.summary}
        for name, spec in known.methods.items()
    )


def datasets(registry: PathLike | None = None) -> pd.DataFrame:
    """The datasets of the registry, with facts from their corpora's cards.

    Args:
        registry: a file that extends the registry. Default: ``./serbench.toml``, if it exists.

    Returns:
        ``dataset``, ``title``, ``language``, ``utterances`` (as published), ``classes``,
        ``licence``, ``folds`` (used by default), ``summary``. If a card cannot be read, title to
        licence are missing.

    Raises:
        RegistryError: the registry has errors.

    Examples:
        >>> import serbench
        >>> "emodb" in set(serbench.datasets()["dataset"])
        True
    """
    return pd.DataFrame([*_datasets(_registry(registry))]).astype({"utterances": "Int64"})


def _registry(overlay: PathLike | None) -> Registry:
    return load_registry(load_plugins(), place(overlay), strict=False)


def _datasets(known: Registry) -> Iterator[dict[str, object]]:
    for name, spec in known.datasets.items():
        card = None
        with suppress(Exception):  # a plugin that someone else wrote may raise anything
            card = known.make("corpora", name).card
        yield {
            "dataset": name,
            "title": card and card.title,
            "language": card and card.language,
            "utterances": card and card.utterances,
            "classes": card and ", ".join(card.labels),
            "licence": card and card.licence,
            "folds": spec.folds,
            "summary": spec.summary,
        }
