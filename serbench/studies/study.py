"""Defines a study: its options, its measurement, and how findings are shown.

A study examines finished runs. It is declared in the ``study.py`` of its folder and named in
``registered.py``; its command, its files, its record and its section of the page are made from
that. The command line imports the declarations, so nothing here may import torch, pandas or
matplotlib at the top.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from serbench.protocol.guard.certificate import Certificate
    from serbench.results.figure.figure import Figure
    from serbench.results.record import Fact, StudyRecord
    from serbench.results.table.table import Table
    from serbench.running.store.finished import StoredRun
    from serbench.studies.opened import Opened

P = TypeVar("P", bound="DataclassInstance")
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Option:
    """A field of a study's parameters as an option of the command line.

    Attributes:
        help: one or two sentences, with the default in words if the value alone is not clear.
        flag: a short one, such as ``-m``.
        least: the smallest value.
        metavar: placeholder of the value in ``--help``; empty: from the field's type and name.
    """

    help: str
    flag: str = ""
    least: int | None = None
    metavar: str = ""


def option(
    default: object,
    help: str,  # noqa: A002 - as dataclasses.field
    *,
    flag: str = "",
    least: int | None = None,
    metavar: str = "",
) -> Any:
    """A field of a study's parameters, which becomes an option of its command.

    The field's type is ``str``, ``int``, ``float``, ``bool``, ``Path``, one of these or None, or a
    ``tuple`` of any length of one of these: a repeatable option.

    Args:
        default: default of the field; for a tuple, its value if the option is not given.
        help: see ``Option``.
        flag: likewise.
        least: likewise.
        metavar: likewise.
    """
    stated = Option(help, flag, least, metavar)
    return dataclasses.field(default=default, metadata={"option": stated})


@dataclass(frozen=True, slots=True)
class Shown:
    """The findings of a study, to be written, printed and put on a page.

    Attributes:
        title: title of its page in Markdown.
        certificates: certificates of the studied runs.
        tables: the numbers of the first one go into the CSV.
        figures: the file of the first one has the study's name; those of the others add their own
            names.
        lines: sentences above figures and tables.
        claims: tables of published claims; they follow everything that was measured, in
            Markdown only.
        files: more files, text by name.
        heading: heading of its section on a page; empty: the study's title.
        facts: facts about methods, for the leaderboard.
        facts_note: how to read them.
        failure: an error to report after everything is written.
    """

    title: str
    certificates: tuple[Certificate, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()
    lines: tuple[str, ...] = ()
    claims: tuple[Table, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    heading: str = ""
    facts: tuple[Fact, ...] = ()
    facts_note: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Instead:
    """The result of a command that had nothing to measure.

    Attributes:
        lines: sentences to print.
    """

    lines: tuple[str, ...]


class Study(ABC, Generic[P, M]):
    """A study of finished runs.

    Attributes:
        name: name of its command, of its folder in a run's folder, and of its files.
        title: the heading of its section on a page.
        help: help of its command: what it does in one line, then details, then examples.
        params: a frozen dataclass whose fields are made by ``option``; ``__post_init__`` raises
            ``SerbenchError`` if values are not valid, before anything is read.
        several: whether it takes several runs; then it writes only if an output folder is given.
        replays: whether it predicts again, and so needs the corpus, plugins and a device.
        steers: whether the user can choose a device and a number of processes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    params: type[P]
    several: ClassVar[bool] = False
    replays: ClassVar[bool] = True
    steers: ClassVar[bool] = True

    @abstractmethod
    def measure(self, opened: Opened, params: P) -> M | Instead:
        """Measure the runs.

        Raises:
            SerbenchError: it is impossible; one message says why.
        """

    @abstractmethod
    def show(self, found: M, params: P) -> Shown:
        """The findings, as tables and figures."""

    def of_run(self, run: StoredRun) -> tuple[StudyRecord, ...]:  # noqa: ARG002 - most show nothing
        """Records for the page of a finished run without a measurement; if there are any, the page
        leaves out stored records of the study.
        """
        return ()
