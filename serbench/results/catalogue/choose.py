"""Chooses which runs a list shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.errors import StoreError
from serbench.results.catalogue.entries import RunEntry

Order = Literal["date", "ua", "name", "size"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conditions that a run must fulfil; an empty or None value is no condition.

    Attributes:
        methods: all of them must be among the run's.
        finished: True: only finished runs; False: only those that are not.
        min_ua: smallest UA in %, of the first of ``methods``, or of the best student if there are
            none.
    """

    dataset: str | None = None
    methods: tuple[str, ...] = ()
    profile: str | None = None
    finished: bool | None = None
    min_ua: float | None = None

    @property
    def scored(self) -> str | None:
        """The method to which the condition on UA applies; None: the best."""
        return self.methods[0] if self.methods else None

    def check(self) -> None:
        """
        Raises:
            StoreError: ``min_ua`` is not a percentage, or was given as a share.
        """
        if self.min_ua is None:
            return
        if not 0 <= self.min_ua <= 100:
            raise StoreError(f"--min-ua {self.min_ua:g}: a UA is between 0 and 100 %")
        if 0 < self.min_ua < 1:
            raise StoreError(
                f"UA is in %, as in the list: {self.min_ua:g} means {self.min_ua:g} %; give "
                f"{100 * self.min_ua:g} for {100 * self.min_ua:g} %"
            )

    def fits(self, entry: RunEntry) -> bool:
        """Whether a run fulfils all conditions."""
        return (
            self.dataset in {None, entry.dataset}
            and set(self.methods) <= {*entry.methods, *entry.scores}
            and self.profile in {None, entry.profile}
            and self.finished in {None, entry.state == "finished"}
            and self._good_enough(entry)
        )

    def _good_enough(self, entry: RunEntry) -> bool:
        if self.min_ua is None:
            return True
        found = entry.score(self.scored)
        return found is not None and 100 * found[1].ua >= self.min_ua


def choose(
    entries: Sequence[RunEntry], wanted: Wanted, order: Order = "date"
) -> tuple[RunEntry, ...]:
    """Return the runs that fulfil the conditions: newest, best or largest first, or by name.

    By UA, runs of a broken protocol come after all proper ones, and those without a score last.

    Raises:
        StoreError: see ``Wanted.check``.
    """
    wanted.check()
    found = [entry for entry in entries if wanted.fits(entry)]
    keys = {
        "date": lambda entry: -entry.changed_s,
        "ua": lambda entry: _by_ua(entry, wanted.scored),
        "name": lambda _: 0,
        "size": lambda entry: -entry.size_bytes,
    }
    return tuple(sorted(found, key=lambda entry: (keys[order](entry), entry.name)))


def _by_ua(entry: RunEntry, method: str | None) -> tuple[bool, bool, float]:
    found = entry.score(method)
    return found is None, entry.leaky, -found[1].ua if found else 0.0


def offered(entries: Sequence[RunEntry]) -> str:
    """The datasets, methods and profiles that can be asked for, in one line."""
    columns = {
        "datasets": {entry.dataset for entry in entries},
        "methods": {method for entry in entries for method in entry.methods},
        "profiles": {entry.profile for entry in entries},
    }
    return "; ".join(
        f"{name}: {', '.join(sorted(values - {''})) or 'none'}" for name, values in columns.items()
    )
