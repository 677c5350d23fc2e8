"""Which runs a list shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.errors import StoreError
from serbench.results.catalogue.entries import RunEntry

Order = Literal["date", "ua", "name", "size"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a run; what is empty or None asks nothing.

    Attributes:
        methods: all of them must be among the run's.
        finished: True: only finished runs; False: only those that are not.
        min_ua: least UA in %, of the first of ``methods`` or else of the best student.
    """

    dataset: str | None = None
    methods: tuple[str, ...] = ()
    profile: str | None = None
    finished: bool | None = None
    min_ua: float | None = None

    @property
    def scored(self) -> str | None:
        """The method whose UA is asked for; None: the best."""
        return self.methods[0] if self.methods else None

    def check(self) -> None:
        """
        Raises:
            StoreError: ``min_ua`` is no percentage, or is meant as a share.
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
        """Whether a run has all that is asked for."""
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
    """The runs that fit: newest, best, or largest first, or by name.

    By UA, runs of a broken protocol come after all proper ones, and those without a score last.

    Raises:
        StoreError: as ``Wanted.check``.
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
    """What there is to ask for, in one line: datasets, methods and profiles."""
    columns = {
        "datasets": {entry.dataset for entry in entries},
        "methods": {method for entry in entries for method in entry.methods},
        "profiles": {entry.profile for entry in entries},
    }
    return "; ".join(
        f"{name}: {', '.join(sorted(values - {''})) or 'none'}" for name, values in columns.items()
    )
