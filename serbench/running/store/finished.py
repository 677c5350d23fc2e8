"""A finished run, read completely."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serbench.api import StoreError
from serbench.protocol.guard.certificate import Certificate
from serbench.running.store.run import RunStore
from serbench.running.store.tables import TEST_SET, test_sets

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One stored run, read completely.

    Attributes:
        predictions: predictions on the test sides. With several test sets, those on the first,
            which gives the headline.
        test_sets: predictions on the other test sets, by name.
    """

    name: str
    folder: Path
    plan: dict[str, Any]
    environment: dict[str, Any]
    certificate: Certificate
    timing: dict[str, Any]
    fits: tuple[dict[str, Any], ...]
    predictions: pd.DataFrame
    test_sets: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def outer(self) -> list[dict[str, Any]]:
        """The plan's outer folds. With several test sets, each fold has the units of the first."""
        return [
            {**fold, "test_units": fold.get("test_sets", {}).get(self.first_test_set, units)}
            for fold in self.plan["outer"]
            for units in (fold["test_units"],)
        ]

    @property
    def first_test_set(self) -> str:
        """Name of the test set of ``predictions``; empty if the run has only one test set."""
        return next((str(name) for name in test_sets(self.plan)), "")

    @property
    def tested(self) -> pd.DataFrame:
        """The predictions on all test sets, in the order of the run's folder."""
        import pandas as pd

        if not self.test_sets:
            return self.predictions
        sets = {self.first_test_set: self.predictions, **self.test_sets}
        parts = [rows.assign(**{TEST_SET: name}) for name, rows in sets.items()]
        return pd.concat(parts).sort_index()

    @property
    def seeds(self) -> int:
        """Number of seeds that each method has."""
        return len(self.plan["seeds"])

    @property
    def train_counts(self) -> dict[int, int]:
        """Number of training utterances of each outer fold, from the certificate."""
        sides = {fold.name: fold.train.utterances for fold in self.certificate.folds}
        return {n: sides[fold["name"]] for n, fold in enumerate(self.plan["outer"], start=1)}

    @property
    def inner_fits(self) -> int:
        """Number of fits of the inner search."""
        return sum(fit.get("inner") is not None for fit in self.fits)


def load_run(folder: Path, name: str) -> StoredRun:
    """Read a run folder; ``name`` is its name in tables.

    Raises:
        StoreError: the folder is not a run, the run has not finished, or one of its files is
            missing or damaged.
    """
    store = RunStore(folder)
    store.check()
    plan = store.plan()
    predictions, test_sets = _by_test_set(store.predictions(), plan)
    return StoredRun(
        name=name,
        folder=folder,
        plan=plan,
        predictions=predictions,
        test_sets=test_sets,
        environment=store.read_json("environment"),
        certificate=_certificate(store, plan),
        timing=store.read_json("timing"),
        fits=store.fits(),
    )


def _by_test_set(
    predictions: pd.DataFrame, plan: dict[str, Any]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The predictions on the first test set, and those on the others by name."""
    if not (names := test_sets(plan)):
        return predictions, {}
    first, *others = (
        predictions.loc[predictions[TEST_SET] == name].drop(columns=TEST_SET) for name in names
    )
    return first, dict(zip(names[1:], others, strict=True))


def _certificate(store: RunStore, plan: dict[str, Any]) -> Certificate:
    """
    Raises:
        StoreError: the certificate is missing, damaged, of another run, or was changed after its
            digest was computed.
    """
    path = store.folder / "certificate.json"
    content = store.read_json("certificate")
    stated = content.pop("digest", None)
    try:
        certificate = Certificate.from_json(json.dumps(content))
    except StoreError as error:
        raise StoreError(f"{path} is {error}") from error
    if stated != certificate.digest:
        raise StoreError(
            f"{path} was changed: its digest is {certificate.digest}, "
            f"but it states {stated}; run the benchmark again"
        )
    held = (certificate.plan_digest, certificate.protocol)
    if held != (plan["digest"], plan["protocol"]["name"]):
        raise StoreError(
            f"{path} belongs to another run: it certifies plan {held[0]} under protocol "
            f"{held[1]}, but plan.json is {plan['digest']} under protocol "
            f"{plan['protocol']['name']}; run the benchmark again"
        )
    return certificate


def load_runs(folders: Sequence[Path]) -> tuple[StoredRun, ...]:
    """Read runs. Each is named by its folder, or by its path if two folders have the same name.

    Raises:
        StoreError: as ``load_run``.
    """
    names = [folder.resolve().name for folder in folders]
    return tuple(
        load_run(folder, name if names.count(name) == 1 else str(folder))
        for folder, name in zip(folders, names, strict=True)
    )


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value of nested objects by its dotted path; a list or an empty object is one value."""
    if not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for key, item in value.items():
        yield from leaves(item, f"{path}.{key}" if path else str(key))
