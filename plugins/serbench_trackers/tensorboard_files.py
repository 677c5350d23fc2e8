"""``tensorboard``: curves, scores and hyper-parameters of a run as TensorBoard's event files.

Only TensorBoard's own record writer and protocol buffers are used: no TensorFlow, no thread, no
host name in a file's name. Everything is written to the file at once.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from serbench.api import EpochEvent, FoldEvent, Params, RunEvent, Tracker
from serbench_trackers.facts import METRICS, Scalar, method_facts, run_facts, shown
from serbench_trackers.packages import missing

VERSION = "brain.Event:2"
"""Content of the first record of an event file."""

OPEN_FILES = 16
"""Largest number of open files: as many as fits run at the same time on most machines. One more
file closes the least recently used one.
"""


class TensorBoardParams(Params):
    """Where the event files are written."""

    folder: str = "tensorboard"
    """Folder below the run's folder. In an absolute path, each run gets a folder with its name, so
    that several runs can share the path.
    """


class TensorBoard(Tracker):
    """A sub-run for each fit, each seed (scores by outer fold) and each method (pooled scores)."""

    name = "tensorboard"
    Params = TensorBoardParams
    params: TensorBoardParams

    def __init__(self, params: TensorBoardParams) -> None:
        super().__init__(params)
        self._files: EventFiles | None = None

    def unavailable(self) -> str | None:
        """See ``Tracker``."""
        return missing("tensorboard", ("tensorboard",))

    def run_started(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        folder = Path(self.params.folder).expanduser()
        below = folder / event.folder.name if folder.is_absolute() else event.folder / folder
        self._files = EventFiles(below)
        self._describe(event)

    def fit_epoch(self, event: EpochEvent) -> None:
        """See ``Tracker``. Epochs of a canary, which are on permuted labels, are left out."""
        if event.canary:
            return
        values = {f"loss/{term}": value for term, value in event.terms.items()}
        if event.validation_ua is not None:
            values["validation/ua"] = event.validation_ua
        self._open.scalars(event.fit, values, event.epoch)

    def fold_scored(self, event: FoldEvent) -> None:
        """See ``Tracker``. The step is the number of the outer fold."""
        values = {f"test/{metric}": getattr(event, metric) for metric in METRICS}
        self._open.scalars(f"{event.method}/seed-{event.seed}", values, event.outer)

    def run_finished(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        self._describe(event)
        for method in dict.fromkeys(score.method for score in event.scores):
            scores = [score for score in event.scores if score.method == method]
            # Not in the folder above the method's fits: the table of hyper-parameters would show
            # all curves.
            run = f"methods/{method}"
            if facts := method_facts(event.plan, method):
                self._open.hyper_parameters(run, f"{event.folder.name}/{method}", facts)
            self._open.scalars(run, {f"pooled/{s.metric}": s.value for s in scores}, 0)

    def close(self) -> None:
        """See ``Tracker``."""
        if self._files is not None:
            self._files.close()

    @property
    def _open(self) -> EventFiles:
        assert self._files is not None, "run_started comes first"
        return self._files

    def _describe(self, event: RunEvent) -> None:
        """Write the run as text: what it was made from, and its results so far."""
        facts = run_facts(event.plan) | {"digest": event.digest, "folder": event.folder.name}
        if event.certificate:
            facts["certificate"] = event.certificate
        table = _table(("", "value"), [(name, _cell(value)) for name, value in facts.items()])
        if event.scores:
            rows = [
                (s.method, s.metric, f"{s.value:.3f}", f"{s.low:.3f} to {s.high:.3f}")
                for s in event.scores
            ]
            table += "\n\n" + _table(("method", "metric", "pooled", "95 % CI"), rows)
        self._open.text("", "run", table)


class EventFiles:
    """One event file for each sub-run below a folder.

    When a sub-run is written to for the first time, files of an earlier start of the same run are
    deleted: its history is sent again from the first epoch on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._streams: OrderedDict[str, BinaryIO] = OrderedDict()
        self._paths: dict[str, Path] = {}

    def scalars(self, run: str, values: Mapping[str, float], step: int) -> None:
        """Write values by tag."""
        summary = self._protos.summary_pb2.Summary()
        for tag, value in values.items():
            summary.value.add(tag=tag, simple_value=value)
        self._write(run, summary, step)

    def text(self, run: str, tag: str, markdown: str) -> None:
        """Write a page of Markdown."""
        pages = import_module("tensorboard.plugins.text.summary_v2")
        self._write(run, pages.text_pb(tag, markdown), 0)

    def hyper_parameters(self, run: str, trial: str, values: Mapping[str, Scalar]) -> None:
        """Write the hyper-parameters by which TensorBoard lists the sub-run, as a trial
        of that name.
        """
        table = import_module("tensorboard.plugins.hparams.summary_v2")
        self._write(run, table.hparams_pb(dict(values), trial_id=trial), 0)

    def close(self) -> None:
        """Close every file."""
        while self._streams:
            self._streams.popitem()[1].close()

    @cached_property
    def _protos(self) -> ModuleType:
        import_module("tensorboard.compat.proto.event_pb2")
        return import_module("tensorboard.compat.proto")

    def _write(self, run: str, summary: object, step: int) -> None:
        event = self._protos.event_pb2.Event(wall_time=time.time(), step=step, summary=summary)
        self._record(self._stream(run), event)

    def _record(self, stream: BinaryIO, event: object) -> None:
        writer = import_module("tensorboard.summary.writer.record_writer")
        writer.RecordWriter(stream).write(event.SerializeToString())  # pyright: ignore[reportAttributeAccessIssue]

    def _stream(self, run: str) -> BinaryIO:
        if run in self._streams:
            self._streams.move_to_end(run)
            return self._streams[run]
        if len(self._streams) >= OPEN_FILES:
            self._streams.popitem(last=False)[1].close()
        begun = run in self._paths
        if not begun:
            self._paths[run] = self._fresh(run)
        stream = self._streams[run] = self._paths[run].open("ab", buffering=0)
        if not begun:
            event = self._protos.event_pb2.Event(wall_time=time.time(), file_version=VERSION)
            self._record(stream, event)
        return stream

    def _fresh(self, run: str) -> Path:
        """The file of a sub-run, in a folder from which files of earlier starts are removed."""
        parts = [re.sub(r"[^A-Za-z0-9._+=-]", "-", part) for part in run.split("/") if part]
        folder = named = self.folder.joinpath(*(part.lstrip(".") or "-" for part in parts))
        taken = {path.parent for path in self._paths.values()}
        for number in itertools.count(2):
            if folder not in taken:  # different names can become equal when they are made safe
                break
            folder = named.with_name(f"{named.name}-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*.serbench"):
            old.unlink()
        return folder / f"events.out.tfevents.{time.time_ns()}.serbench"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(value: object) -> str:
    """A value as the text of a cell in Markdown."""
    return shown(value).replace("|", "\\|")
