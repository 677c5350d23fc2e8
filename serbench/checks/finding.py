"""Findings of checks: the same for ``audit``, ``corpus check``, ``verify`` and ``regress``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from serbench.errors import joined, listed, numbered
from serbench.protocol.spelling import NOUNS, Respelled
from serbench.results.table.table import Table

Outcome = Literal["passed", "note", "warning", "failed", "not run"]

OUTCOMES: tuple[Outcome, ...] = ("failed", "warning", "note", "not run", "passed")
"""Outcomes, the worst first. ``failed``: the exit code is 1. ``warning``: results are weaker than
they look.
``note``: state it with results. ``not run``: the message says why.
"""

RAN: tuple[Outcome, ...] = ("failed", "warning", "note", "passed")


Progress = Callable[[str, int, int], None]
"""A function that shows progress: ``progress(stage, done, total)``."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A subject of a finding: a speaker, an utterance, a fold, a file, or a pair of them.

    Attributes:
        name: copies as ``a = b``, near-duplicates as ``a ~ b``.
        detail: what was found about it, in words; empty if the finding says all.
        numbers: counts and measurements, by name.
    """

    name: str
    detail: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: its name, or its code, such as ``L1``.
        message: the finding in one sentence; for a check that did not run, the reason.
        remedy: what to do; empty if nothing needs to be done.
        units: all subjects of the finding.
        fold: the fold that it is about; empty: all folds, or none.
        numbers: measurements, by name.
        tables: the evidence.
        seconds: wall time of the check; if findings are made together, the first of them has it.
    """

    check: str
    outcome: Outcome
    message: str
    remedy: str = ""
    units: tuple[Unit, ...] = ()
    fold: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """Check and fold, as in ``L1, fold 2``."""
        return f"{self.check}, fold {self.fold}" if self.fold else self.check


class Stopwatch:
    """Measures each finding's wall time since the one before it, or since the start."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self, finding: Finding) -> Finding:
        """Add the wall time since the last finding to a finding that was made just now."""
        before, self.last = self.last, time.perf_counter()
        return replace(finding, seconds=self.last - before)

    def laps(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Add wall times to the findings of a generator, which makes them one by one."""
        return map(self.lap, found)


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings of a command.

    Attributes:
        command: ``"audit"``, ``"corpus check"``, ``"verify"`` or ``"regress"``.
        subject: what was checked: split files, a corpus, a run.
        found: findings in order of display.
        if_passed, if_failed: meaning of either verdict, in a few words.
        facts: facts about the subject, by name; ``speakers_from`` is printed as ``Speakers from``.
        about: what each check looks for, or why, by check.
        tables: printed above the findings.
        remarks: further remarks.
    """

    command: str
    subject: str
    found: tuple[Finding, ...]
    if_passed: str
    if_failed: str
    facts: Mapping[str, str | int | None] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Command and subject."""
        return f"serbench {self.command}: {self.subject}"

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.of("failed")

    @property
    def exit_code(self) -> int:
        """0, or 1 if a check failed. If nothing could be checked, the command ends with 2."""
        return 0 if self.passed else 1

    def of(self, *outcomes: Outcome) -> tuple[Finding, ...]:
        """Findings with one of these outcomes."""
        return tuple(each for each in self.found if each.outcome in outcomes)

    def checks(self, *outcomes: Outcome) -> tuple[str, ...]:
        """Checks that have a finding with one of these outcomes, each once."""
        return tuple(dict.fromkeys(each.check for each in self.of(*outcomes)))

    @property
    def verdict(self) -> str:
        """The overall result in one line."""
        ran, failed = numbered(len(self.checks(*RAN)), "check"), self.checks("failed")
        if failed:
            where = joined(map(self._with_folds, failed))
            said = f"FAILED: {self.if_failed} ({len(failed)} of {ran}: {where})"
        else:
            said = f"passed: {self.if_passed} ({ran})"
        for outcome in ("warning", "note"):
            if named := self.checks(outcome):
                said += f"; {outcome}{'s' if len(named) > 1 else ''}: {listed(named)}"
        reasons = "; ".join(self._not_run())
        return f"{said}; not run: {reasons}" if reasons else said

    def _with_folds(self, check: str) -> str:
        folds = {each.fold for each in self.of("failed") if each.check == check and each.fold}
        return f"{check} in {numbered(len(folds), 'fold')}" if folds else check

    def _not_run(self) -> Iterator[str]:
        """Checks that did not run, grouped by reason."""
        reasons: dict[str, dict[str, None]] = {}
        for each in self.of("not run"):
            reasons.setdefault(each.message, {})[each.check] = None
        for reason, checks in reasons.items():
            yield f"{', '.join(checks)} ({reason})"


def spelled_units(found: Iterable[Respelled]) -> tuple[Unit, ...]:
    """Names in several spellings, each with the utterances of every spelling."""
    return tuple(
        Unit(
            f"{NOUNS[each.kind]} {each}",
            f"{' + '.join(map(str, each.counts.values()))} utterances",
            dict(each.counts),
        )
        for each in found
    )


def named(names: Iterable[str]) -> tuple[Unit, ...]:
    """Units that have only a name."""
    return tuple(map(Unit, names))
