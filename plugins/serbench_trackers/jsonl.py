"""``jsonl``: every event of a run as a line of ``events.jsonl`` in its folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from serbench.api import EpochEvent, FoldEvent, Params, RunEvent, Tracker
from serbench_trackers.facts import run_facts

FILE = "events.jsonl"
SCHEMA = 1

Fit = tuple[int, str]
"""Repeat of the canary (0: the run itself) and name of a fit."""


class JsonLinesParams(Params):
    """``JsonLines`` has no settings."""


class JsonLines(Tracker):
    """Writes one JSON object per line at once, so that nothing is lost if the process is killed.

    A run that is started again continues in the same file. The history of fits from the cache is
    written only if the file does not have it, so that each of their epochs is in the file once.
    """

    name = "jsonl"
    Params = JsonLinesParams
    params: JsonLinesParams

    def __init__(self, params: JsonLinesParams) -> None:
        super().__init__(params)
        self._stream: BinaryIO | None = None
        self._told: dict[Fit, int] = {}

    def run_started(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        path = event.folder / FILE
        heal(path)
        self._told = last_epochs(path)
        self._stream = path.open("ab", buffering=0)
        self._write(
            "run_started", schema=SCHEMA, digest=event.digest, fits=event.fits,
            **run_facts(event.plan),
        )  # fmt: skip

    def fit_epoch(self, event: EpochEvent) -> None:
        """See ``Tracker``."""
        fit = (event.canary, event.fit)
        if event.cached and event.epoch <= self._told.get(fit, 0):
            return
        self._told[fit] = event.epoch
        self._write("fit_epoch", **asdict(event))

    def fold_scored(self, event: FoldEvent) -> None:
        """See ``Tracker``."""
        self._write("fold_scored", **asdict(event))

    def run_finished(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        self._write(
            "run_finished", digest=event.digest, certificate=event.certificate,
            scores=[asdict(score) for score in event.scores],
        )  # fmt: skip

    def close(self) -> None:
        """See ``Tracker``."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write(self, event: str, **content: object) -> None:
        assert self._stream is not None, "run_started comes first"
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(
            {"event": event, "time": at, **content}, ensure_ascii=False, allow_nan=False
        )
        self._stream.write(line.encode() + b"\n")


def heal(path: Path) -> None:
    """End the last line of a file, or remove it if it is incomplete."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    rest = content[whole:]
    if rest and _parsed(rest) is None:
        os.truncate(path, whole)
    elif rest:
        with path.open("ab") as stream:
            stream.write(b"\n")


def last_epochs(path: Path) -> dict[Fit, int]:
    """The last epoch of each fit in a file; damaged lines are ignored."""
    found: dict[Fit, int] = {}
    if not path.is_file():
        return found
    with path.open("rb") as stream:
        for line in stream:
            match _parsed(line):
                case {
                    "event": "fit_epoch",
                    "canary": int(repeat),
                    "fit": str(fit),
                    "epoch": int(epoch),
                }:
                    found[repeat, fit] = epoch
    return found


def _parsed(line: bytes) -> object:
    """The JSON value of a line; None if it is damaged."""
    try:
        return json.loads(line)
    except ValueError:
        return None
