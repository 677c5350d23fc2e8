"""An exported model, which computes posteriors from waveforms. It needs ONNX Runtime and NumPy, but
never torch.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from serbench_runtime.arrays import as_waveform
from serbench_runtime.errors import ModelError, WaveformError
from serbench_runtime.facts import Facts, parse_facts
from serbench_runtime.onnx_file import read_metadata
from serbench_runtime.pieces import Cutter
from serbench_runtime.session import CPU, INPUT, OUTPUT, check_signature, open_session
from serbench_runtime.stream import AVERAGE, STEP_S, Stream, Streams
from serbench_runtime.waveform import Waveform

if TYPE_CHECKING:
    from jaxtyping import Float32

WHOLE_S = 60.0
"""An utterance up to this length is classified in one call."""

ROWS_AT_ONCE = 16
"""Waveforms of one length per call, so that memory does not grow with their number."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A model's prediction for an utterance.

    Attributes:
        label: the class with the greatest posterior.
        labels: the C classes.
        posteriors: posteriors in the order of ``labels``; they sum to 1.
        duration_s: duration of the utterance.
    """

    label: str
    labels: tuple[str, ...]
    posteriors: Float32[NDArray[np.float32], " C"]
    duration_s: float

    def as_dict(self) -> dict[str, object]:
        """The prediction for JSON, with posteriors by class, to six decimals."""
        return {
            "label": self.label,
            "duration_s": round(self.duration_s, 3),
            "posteriors": by_label(self.labels, self.posteriors),
        }


def by_label(
    labels: Sequence[str], posteriors: Float32[NDArray[np.float32], " C"]
) -> dict[str, float]:
    """Posteriors by class, to six decimals.

    Examples:
        >>> by_label(("joy", "anger"), np.array([0.25, 0.75], np.float32))
        {'joy': 0.25, 'anger': 0.75}
    """
    return {label: round(float(value), 6) for label, value in zip(labels, posteriors, strict=True)}


class Model:
    """A model of ``serbench export``; ``load`` makes it. Threads may share it."""

    def __init__(
        self, session: onnxruntime.InferenceSession, facts: Facts, path: Path, sha256: str
    ) -> None:
        self._session = session
        self._facts = facts
        self._path = path
        self._sha256 = sha256
        rate_hz = facts.sample_rate_hz
        window, overlap = (round(s * rate_hz) for s in (facts.window_s, facts.overlap_s))
        least = round(WHOLE_S * rate_hz) if facts.cut == "sliding" else None
        self._cutter = Cutter(window, overlap, least)

    @property
    def name(self) -> str:
        """The model's origin: method, seed and outer fold."""
        return self._facts.name

    @property
    def sha256(self) -> str:
        """Digest of the model's file (hex)."""
        return self._sha256

    @property
    def labels(self) -> tuple[str, ...]:
        """The C classes, in the order of the posteriors."""
        return self._facts.labels

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the waveforms that ``posteriors`` and the graph take."""
        return self._facts.sample_rate_hz

    @property
    def shortest_s(self) -> float:
        """Length of the shortest waveform that is accepted."""
        return self._facts.shortest_s

    @property
    def window_s(self) -> float:
        """Length of windows: an utterance's posterior is the mean over them. If ``facts["cut"]`` is
        ``centre``, only one window is used; if it is ``whole``, the whole utterance.
        """
        return self._facts.window_s

    @property
    def overlap_s(self) -> float:
        """Overlap of neighbouring windows of an utterance."""
        return self._facts.overlap_s

    @property
    def precision(self) -> str:
        """Precision of weights and arithmetic: ``fp32``, ``int8 dynamic``, …"""
        return self._facts.precision

    @property
    def facts(self) -> Mapping[str, object]:
        """All facts in the file, including its provenance."""
        return self._facts.everything

    def predict(self, waveform: ArrayLike, sample_rate: float) -> Prediction:
        """Classify one utterance.

        Utterances of more than 60 s are processed in pieces: the windows stay the same, but the
        front end treats the start and end of a piece as those of an utterance.

        Examples:
            >>> from serbench.testing import probe_model
            >>> model = load(probe_model().onnx)
            >>> one_second = np.zeros(44_100, np.int16)
            >>> prediction = model.predict(one_second, sample_rate=44_100)
            >>> prediction.duration_s, prediction.label in model.labels
            (1.0, True)
            >>> float(prediction.posteriors.sum().round(3))
            1.0

        Args:
            waveform: ``(samples,)``, ``(samples, channels)`` as soundfile reads it, or
                ``(channels, samples)``; at most 8 channels, which are averaged. Floats within ±1,
                or int8, int16, int32 or uint8 in their full range.
            sample_rate: sample rate in Hz; rates other than the model's are converted.

        Raises:
            WaveformError: the waveform is empty, shorter than 0.1 s, has values that are NaN or
                infinite or floats beyond ±10, or is another shape or kind of array; or the rate is
                outside 1 kHz to 1 MHz.
        """
        heard = as_waveform(waveform, sample_rate, self.sample_rate_hz, self.shortest_s)
        return self.predict_blocks([heard])

    def predict_batch(self, waveforms: Sequence[ArrayLike], sample_rate: float) -> list[Prediction]:
        """Classify several utterances of one rate; those of equal length share a call.

        Raises:
            WaveformError: as ``predict``; the message says which waveform, counted from 0.
        """
        heard = [self._heard(number, item, sample_rate) for number, item in enumerate(waveforms)]
        rows: dict[int, list[int]] = {}
        for number, item in enumerate(heard):
            rows.setdefault(len(item), []).append(number)
        found: dict[int, Prediction] = {}
        for samples, numbers in rows.items():
            if self._cutter.is_whole(samples):
                posteriors = self.posteriors(np.stack([heard[number] for number in numbers]))
                for number, row in zip(numbers, posteriors, strict=True):
                    found[number] = self._prediction(row, samples)
            else:
                found |= {number: self.predict_blocks([heard[number]]) for number in numbers}
        return [found[number] for number in range(len(heard))]

    def predict_blocks(self, blocks: Iterable[Waveform]) -> Prediction:
        """Classify an utterance that arrives in blocks ``(samples,)`` of any length.

        Args:
            blocks: float32 within ±1, mono, at the model's rate.

        Raises:
            WaveformError: all blocks together are shorter than 0.1 s, or not finite.
        """
        total = np.zeros(len(self.labels))
        windows = samples = 0
        for piece in self._cutter.pieces(blocks):
            total += piece.windows * self.posteriors(piece.samples[None])[0].astype(np.float64)
            windows += piece.windows
            samples += piece.new
        if not windows:
            raise WaveformError("the waveform is empty")
        return self._prediction((total / windows).astype(np.float32), samples)

    def posteriors(self, waveforms: NDArray[np.float32]) -> Float32[NDArray[np.float32], "N C"]:
        """Posteriors of waveforms, directly from the graph.

        Args:
            waveforms: ``(N, samples)`` float32 within ±1, mono, at the model's rate.

        Raises:
            WaveformError: the array has another shape or no row, or waveforms are too short or not
                finite.
            ModelError: the model returns values that are not finite.
        """
        rows = np.asarray(waveforms, np.float32)
        least = math.floor(self.shortest_s * self.sample_rate_hz)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] < least:
            raise WaveformError(
                f"waveforms of shape {rows.shape}; give (N, samples) with at least 1 row of at "
                f"least {least} samples ({self.shortest_s:g} s)"
            )
        if not np.isfinite(rows).all():
            raise WaveformError("the waveforms contain NaN or infinite samples")
        parts = [
            self._run(rows[start : start + ROWS_AT_ONCE])
            for start in range(0, len(rows), ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def stream(
        self,
        step_s: float = STEP_S,
        window_s: float | None = None,
        average: int = AVERAGE,
        sample_rate: float | None = None,
    ) -> Stream:
        """Classify live sound: every ``step_s`` seconds, the last ``window_s`` seconds of it.

        Examples:
            >>> from serbench.testing import probe_model
            >>> stream = load(probe_model().onnx).stream(step_s=0.5, window_s=2.0)
            >>> steps = stream.feed(np.zeros(20_000, np.float32))  # 1.25 s
            >>> [step.time_s for step in steps]
            [0.5, 1.0]
            >>> [step.time_s for step in stream.finish()]
            [1.25]

        Args:
            step_s: time between answers, from 0.1 s up to ``window_s``.
            window_s: greatest length of sound for one answer; by default the model's window.
            average: number of windows whose mean posterior is the answer.
            sample_rate: sample rate of the sound, in Hz; by default the model's.

        Raises:
            SerbenchError: a setting is out of range.
        """
        return Stream(self.streams(1, step_s, window_s, average, sample_rate))

    def streams(
        self,
        count: int,
        step_s: float = STEP_S,
        window_s: float | None = None,
        average: int = AVERAGE,
        sample_rate: float | None = None,
    ) -> Streams:
        """``count`` simultaneous streams in lock step, which share the model's calls.

        The other arguments are those of ``stream``.

        Raises:
            SerbenchError: a setting is out of range.
        """
        return Streams(self.posteriors, self._facts, count, step_s, window_s, average, sample_rate)

    def _heard(
        self, number: int, waveform: ArrayLike, sample_rate: float
    ) -> Float32[Waveform, " samples"]:
        try:
            return as_waveform(waveform, sample_rate, self.sample_rate_hz, self.shortest_s)
        except WaveformError as error:
            raise WaveformError(f"waveform {number}: {error}") from error

    def _prediction(
        self, posteriors: Float32[NDArray[np.float32], " C"], samples: int
    ) -> Prediction:
        return Prediction(
            label=self.labels[int(posteriors.argmax())],
            labels=self.labels,
            posteriors=posteriors,
            duration_s=samples / self.sample_rate_hz,
        )

    def _run(
        self, rows: Float32[NDArray[np.float32], "N samples"]
    ) -> Float32[NDArray[np.float32], "N C"]:
        try:
            found = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(rows)})[0]
        # ONNX Runtime's exceptions have no common class below Exception.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{self._path}: the model cannot be run ({reason})") from error
        posteriors = np.asarray(found, np.float32)
        if posteriors.shape != (len(rows), len(self.labels)):
            raise ModelError(
                f"{self._path}: returns posteriors of shape {posteriors.shape} for {len(rows)} "
                f"waveforms and {len(self.labels)} labels; export the model again"
            )
        if not np.isfinite(posteriors).all():
            raise ModelError(f"{self._path}: returns posteriors that are NaN or infinite")
        return posteriors


def load(
    path: str | os.PathLike[str], *, threads: int = 1, providers: Sequence[str] = (CPU,)
) -> Model:
    """Load a model of ``serbench export``. Nothing is unpickled.

    Examples:
        >>> from serbench.testing import probe_model
        >>> model = load(probe_model().onnx)
        >>> model.labels, model.window_s
        (('anger', 'fear', 'joy', 'neutral'), 3.0)

    Args:
        path: the ``.onnx`` file.
        threads: threads for one call.
        providers: providers of ONNX Runtime, in order of preference; a missing one is an error.

    Raises:
        ModelError: the file is missing, a folder, empty, truncated, not ONNX, not exported by
            serbench, of another format or damaged; or a provider is not available.
    """
    file = Path(path)
    facts = parse_facts(read_metadata(file), file)
    session = open_session(file, facts.precision, threads, providers)
    check_signature(session, facts, file)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    model = Model(session, facts, file, digest)
    # This finds models that cannot run at all, and makes the first real call as fast as the others.
    model.posteriors(np.zeros((1, math.ceil(facts.shortest_s * facts.sample_rate_hz)), np.float32))
    return model
