"""Validated facts in the metadata of an exported model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serbench_runtime import __version__
from serbench_runtime.errors import ModelError
from serbench_runtime.waveform import SAMPLE_RATE_HZ

KEY = "serbench"
"""The metadata property with the facts, as JSON."""

FORMAT = 1
"""The version of the facts that this serbench reads."""

CUTS = ("sliding", "centre", "whole")

MIN_HOP_S = 0.010
"""Smallest hop: windows closer together than one frame of the front end would add nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts in the metadata of an exported model.

    Attributes:
        name: name of the model, ``method/seed-…/outer-…``.
        labels: the C classes, in the order of the posteriors.
        sample_rate_hz: sample rate of the waveforms that the graph takes.
        shortest_s: length of the shortest waveform that it takes.
        window_s, overlap_s: how the graph cuts an utterance into windows.
        cut: ``sliding``: into these windows; ``centre``: only its middle; ``whole``: one window.
        precision: precision of weights and arithmetic: ``fp32``, ``int8 dynamic``, …
        everything: the whole JSON object, including provenance and other entries of the exporter.
    """

    name: str
    labels: tuple[str, ...]
    sample_rate_hz: int
    shortest_s: float
    window_s: float
    overlap_s: float
    cut: str
    precision: str
    everything: Mapping[str, object]


class _DamagedError(Exception):
    """The facts break a rule; the message says which."""


def parse_facts(metadata: Mapping[str, str], path: Path) -> Facts:
    """The facts in the metadata properties of the model file ``path``.

    Raises:
        ModelError: there are no facts (the file was not exported by serbench), or they are damaged
            or of another format.
    """
    if KEY not in metadata:
        raise ModelError(
            f"{path}: an ONNX model, but not from serbench export: its metadata has no classes"
        )
    try:
        content = _object(metadata[KEY])
        _check_format(content, path)
        return _facts(content)
    except _DamagedError as error:
        raise ModelError(
            f"{path}: its metadata is damaged: {error}; export the model again"
        ) from error


def _object(text: str) -> dict[str, object]:
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _DamagedError(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _DamagedError("it is not a JSON object")
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _check_format(content: Mapping[str, object], path: Path) -> None:
    version = content.get("format")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _DamagedError(f"format is {_shown(version)}, not a whole number")
    if version == FORMAT:
        return
    writer = content.get("serbench_version", "an unknown version")
    what = f"{path}: format {version}, written by serbench {writer}; serbench {__version__} reads "
    if version > FORMAT:
        raise ModelError(f"{what}format {FORMAT}: install a newer serbench")
    raise ModelError(f"{what}format {FORMAT}: export the model again")


def _facts(content: Mapping[str, object]) -> Facts:
    rate = content.get("sample_rate_hz")
    if rate != SAMPLE_RATE_HZ or isinstance(rate, bool):
        raise _DamagedError(f"sample_rate_hz is {_shown(rate)}, not {SAMPLE_RATE_HZ}")
    window_s, overlap_s = _number(content, "window_s"), _number(content, "overlap_s")
    shortest_s = _number(content, "shortest_s")
    if not 0 < shortest_s <= window_s:
        raise _DamagedError(
            f"shortest_s is {shortest_s}, not above 0 and up to window_s ({window_s})"
        )
    if not (overlap_s >= 0 and window_s - overlap_s >= MIN_HOP_S):
        raise _DamagedError(
            f"overlap_s is {overlap_s}, not from 0 to {MIN_HOP_S} below window_s ({window_s})"
        )
    for key in ("student", "provenance"):
        if not isinstance(content.get(key, {}), dict):
            raise _DamagedError(f"{key} is {_shown(content[key])}, not an object")
    return Facts(
        name=_text(content, "name"),
        labels=_labels(content.get("labels")),
        sample_rate_hz=SAMPLE_RATE_HZ,
        shortest_s=shortest_s,
        window_s=window_s,
        overlap_s=overlap_s,
        cut=_cut(content),
        precision=_text({"precision": "fp32", **content}, "precision"),
        everything=content,
    )


def _cut(content: Mapping[str, object]) -> str:
    cut = _text({"cut": "sliding", **content}, "cut")
    if cut not in CUTS:
        raise _DamagedError(f"cut is {_shown(cut)}, not one of {', '.join(CUTS)}")
    return cut


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise _DamagedError(f"labels is {_shown(value)}, not a list of at least two names")
    bad = [name for name in value if not isinstance(name, str) or not name.strip()]
    if bad:
        raise _DamagedError(f"labels contains {_shown(bad[0])}, which is not a name")
    twice = [name for name in dict.fromkeys(value) if value.count(name) > 1]
    if twice:
        raise _DamagedError(f"labels contains {_shown(twice[0])} twice")
    return tuple(value)


def _number(content: Mapping[str, object], key: str) -> float:
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _DamagedError(f"{key} is {_shown(value)}, not a number")
    return float(value)


def _text(content: Mapping[str, object], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str):
        raise _DamagedError(f"{key} is {_shown(value)}, not a text")
    return value


def _shown(value: object) -> str:
    """A value in a message; a missing one is ``missing``."""
    if value is None:
        return "missing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
