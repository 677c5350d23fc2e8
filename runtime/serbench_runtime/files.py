"""Audio files through a model, one after another, decoded ahead, at a steady memory."""

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
"""Files that are decoded, or their first blocks, before the model comes to them."""

Blocks = Iterator[Waveform]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a file: a prediction, or the error that kept it from being read."""

    path: Path
    prediction: Prediction | None
    error: SerbenchError | None


def find_audio(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files that are named, and those in folders and below, sorted within each folder.

    A file that is named may have any ending. One that is named twice comes once, where it came
    first. In folders, ``audio_below`` looks; what it finds and cannot read comes among the files,
    so that ``predict_files`` tells of it, and what else it leaves out is told in a warning.

    Examples:
        >>> find_audio([Path("nowhere.wav")])
        Traceback (most recent call last):
        serbench_runtime.errors.WaveformError: nowhere.wav: there is no such file or folder

    Raises:
        WaveformError: a path that is not there, a folder that cannot be listed or holds no audio.
    """
    given = tuple(paths)
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise WaveformError(f"{listed(missing, 3)}: there is no such file or folder")
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
        CorpusError: missing, unreadable, empty, truncated, shorter than 0.1 s, or with samples
            that are not finite.
    """
    return model.predict_blocks(read_blocks(Path(path)))


def predict_files(model: Model, paths: Sequence[Path]) -> Iterator[Heard]:
    """Classify files in their order; one that cannot be read stops none of the others.

    Files are decoded ahead by a few threads; of a long one, the first block only. Memory does not
    grow with the number of files, nor with their length.

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
    """The blocks of a file, of which the first is decoded."""
    blocks = read_blocks(path)
    return chain([next(blocks)], blocks)


def _hear(model: Model, path: Path, decoded: Future[Blocks]) -> Heard:
    try:
        return Heard(path, model.predict_blocks(decoded.result()), None)
    except CorpusError as error:
        return Heard(path, None, error)
    except WaveformError as error:
        return Heard(path, None, WaveformError(f"{path}: {error}"))
