"""Classifies audio files one after another, with decoding in advance and constant memory."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from serbench_runtime.audio.folders import audio_below
from serbench_runtime.audio.read import read_blocks
from serbench_runtime.errors import CorpusError, SerbenchError, WaveformError, listed
from serbench_runtime.model import Model, Prediction
from serbench_runtime.waveform import Waveform

log = logging.getLogger(__name__)

DECODERS = 2
AHEAD = 8
"""Files whose first blocks are decoded before the model needs them."""

Blocks = Iterator[Waveform]


@dataclass(frozen=True, slots=True)
class Heard:
    """Result for a file: a prediction, or the error with which reading it has failed."""

    path: Path
    prediction: Prediction | None
    error: SerbenchError | None


def find_audio(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The named files, and those in the named folders and below, sorted within each folder.

    A named file may have any extension. A file that is named twice is used once, at its first
    position. Folders are searched with ``audio_below``. Files that cannot be read are included, so
    that ``predict_files`` reports them; a warning names everything else that is left out.

    Examples:
        >>> find_audio([Path("nowhere.wav")])
        Traceback (most recent call last):
        serbench_runtime.errors.WaveformError: nowhere.wav: no such file or folder

    Raises:
        WaveformError: a path does not exist, or a folder cannot be listed or has no audio.
    """
    given = tuple(paths)
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise WaveformError(f"{listed(missing, 3)}: no such file or folder")
    found: dict[str, Path] = {}
    for path in given:
        for file in _audio_in(path) if path.is_dir() else [path]:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - keeps symbolic links
    return tuple(found.values())


def _audio_in(folder: Path) -> list[Path]:
    try:
        found = audio_below(folder)
    except OSError as error:
        raise WaveformError(f"{folder}: cannot be listed ({error.strerror})") from error
    if not found.names:
        raise WaveformError(f"{folder}: {found.none}")
    told = [str(each) for each in found.left_out if not each.lost]
    if told:
        log.warning("%s: left out: %s", folder, listed(told))
    lost = [folder / each.name for each in found.left_out if each.lost]
    return sorted([*found.paths, *lost])


def predict_file(model: Model, path: str | os.PathLike[str]) -> Prediction:
    """Classify an audio file of any rate, format and length.

    Raises:
        CorpusError: the file is missing, unreadable, empty, truncated or shorter than 0.1 s, or has
            samples that are not finite.
    """
    return model.predict_blocks(read_blocks(Path(path)))


def predict_files(model: Model, paths: Sequence[Path]) -> Iterator[Heard]:
    """Classify files in their order; a file that cannot be read does not stop the others.

    A few threads decode files in advance; of long files, only the first block. Memory does not grow
    with the number of files or with their length.

    Examples:
        >>> from serbench_runtime import load
        >>> from serbench.testing import probe_model
        >>> model = load(probe_model().onnx)
        >>> for heard in predict_files(model, [Path("nowhere.wav")]):
        ...     print(heard.prediction or heard.error)
        nowhere.wav: ...
    """
    pool = ThreadPoolExecutor(DECODERS, "decode")
    waiting: deque[tuple[Path, Future[Blocks]]] = deque()
    left = iter(paths)
    try:
        while True:
            while len(waiting) < AHEAD and (path := next(left, None)) is not None:
                waiting.append((path, pool.submit(_begin, path)))
            if not waiting:
                return
            yield _hear(model, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(path: Path) -> Blocks:
    """The blocks of a file, with the first one decoded."""
    blocks = read_blocks(path)
    return chain([next(blocks)], blocks)


def _hear(model: Model, path: Path, decoded: Future[Blocks]) -> Heard:
    try:
        return Heard(path, model.predict_blocks(decoded.result()), None)
    except CorpusError as error:
        return Heard(path, None, error)
    except WaveformError as error:
        return Heard(path, None, WaveformError(f"{path}: {error}"))
