"""``stream``: an exported model's predictions for live sound."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from serbench_runtime.cli.lines import print_line
from serbench_runtime.cli.options import Stated, Threads
from serbench_runtime.cli.pipes import finishing_early
from serbench_runtime.cli.stopping import stopped
from serbench_runtime.errors import SerbenchError, WaveformError

if TYPE_CHECKING:
    from io import BufferedReader

    import numpy as np
    from numpy.typing import NDArray

    from serbench_runtime.model import Model
    from serbench_runtime.stream import Step

HELP = """Classify live sound: one line of JSON per step.

Each step classifies the last window of the model (3 s), or less at the beginning. Stop with Ctrl-C,
or at the end of the input; the last line has "final": true.

Examples:

  ffmpeg -v error -i call.mp3 -f s16le -ac 1 -ar 16000 - | serbench stream akd.onnx

  serbench stream akd.onnx --microphone

  serbench stream --list-devices

  serbench stream akd-int8.onnx --capacity
"""

HEADERS = {b"RIFF": "WAV", b"RF64": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"FORM": "AIFF"}
"""First bytes of files that are not raw PCM."""


class Encoding(StrEnum):
    """Encoding of raw PCM."""

    s16le = "s16le"
    f32le = "f32le"


def command(
    model: Annotated[
        Path | None, Stated(metavar="MODEL", help="A model of serbench export.")
    ] = None,
    source: Annotated[
        str, Stated(metavar="-", help="- is standard input: raw PCM, its channels interleaved.")
    ] = "-",
    step: Annotated[
        float, Stated(names=("--step",), metavar="SECONDS", help="Seconds between answers.")
    ] = 0.5,
    average: Annotated[
        int,
        Stated(
            names=("--average",),
            metavar="N",
            least=1,
            help="Average each answer's posterior over this many windows.",
        ),
    ] = 4,
    rate: Annotated[
        float | None,
        Stated(
            names=("--rate",),
            metavar="HZ",
            help="Sample rate of the sound in Hz. Default: the model's, 16000.",
        ),
    ] = None,
    encoding: Annotated[Encoding, Stated(names=("--encoding",), help="Encoding of raw PCM.")] = (
        Encoding.s16le
    ),
    channels: Annotated[
        int,
        Stated(
            names=("--channels",),
            metavar="N",
            least=1,
            help="Channels of the sound; they are averaged.",
        ),
    ] = 1,
    microphone: Annotated[
        bool,
        Stated(
            names=("--microphone",),
            help="Use the system's default microphone. Needs pip install "
            "'serbench-runtime[microphone]'.",
        ),
    ] = False,
    device: Annotated[
        str | None,
        Stated(
            names=("--device",),
            metavar="NAME",
            help="Use this microphone: its number, or a part of its name.",
        ),
    ] = None,
    list_devices: Annotated[
        bool, Stated(names=("--list-devices",), help="List the microphones, and exit.")
    ] = False,
    capacity: Annotated[
        bool,
        Stated(
            names=("--capacity",),
            help="Measure how many simultaneous streams this machine can process.",
        ),
    ] = False,
    threads: Threads = 1,
    *,
    program: str = "serbench",
) -> None:
    """Classify live sound; see HELP."""
    from serbench_runtime.cli import microphone as microphones
    from serbench_runtime.model import load

    if list_devices:
        microphones.print_microphones()
        return
    listens = microphone or device is not None
    loaded = load(_checked(model, source, listens, capacity, program), threads=threads)
    if capacity:
        _print_capacity(loaded, step, threads)
        return
    rate_hz = loaded.sample_rate_hz if rate is None else rate
    stream = loaded.stream(step, average=average, sample_rate=rate_hz)
    if listens:
        block = max(1, round(rate_hz * step / 10))
        chunks = microphones.listen(rate_hz, block, channels, device, program)
    else:
        chunks = _raw_pcm(encoding, max(1, round(step * rate_hz)), channels, program)
        if channels == 1:
            chunks = _watched(chunks, rate_hz, program)
    answers, mixed = _Answers(loaded), _Mixed()
    with finishing_early():
        try:
            for chunk in chunks:
                answers.print(stream.feed(mixed(chunk)))
            answers.close(stream.finish())
        except KeyboardInterrupt:
            answers.close()
            print(f"stopped after {stream.heard_s:.1f} s of sound", file=sys.stderr)
            raise SystemExit(stopped()) from None
    if stream.heard_s < loaded.shortest_s:
        raise WaveformError(
            f"standard input ended after {stream.heard_s:.3f} s of sound; at least "
            f"{loaded.shortest_s:g} s are needed"
        )


def _checked(model: Path | None, source: str, listens: bool, capacity: bool, program: str) -> Path:
    """The model, after checking the arguments."""
    if model is None:
        raise SerbenchError(f"give a model: {program} stream MODEL; --help shows examples")
    if source != "-":
        raise SerbenchError(
            f"{source}: a stream must come from standard input, as raw PCM. For a file: ffmpeg "
            f"-v error -i {source} -f s16le -ac 1 -ar 16000 - | {program} stream MODEL, or "
            f"{program} predict MODEL FILE"
        )
    if listens and capacity:
        raise SerbenchError("--capacity uses no sound; leave out --microphone and --device")
    if not (listens or capacity) and sys.stdin.isatty():
        raise SerbenchError(
            "standard input is a terminal; pipe raw PCM into this command, or give --microphone"
        )
    return model


class _Answers:
    """Steps as lines of JSON.

    Each is printed at once, before it is known to be the last. If the end of the sound gives no
    further step, the last answer is printed again as the final one.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.last: Step | None = None

    def print(self, steps: Iterable[Step], *, final: bool = False) -> None:
        """Print ``steps``."""
        from serbench_runtime.model import by_label

        for step in steps:
            content: dict[str, object] = {
                "time_s": round(step.time_s, 3),
                "label": step.label,
                "posteriors": by_label(self.model.labels, step.posteriors),
                "latency_s": round(step.latency_s, 6),
            }
            print_line(self.model.sha256, content, final=final)
            self.last = step

    def close(self, steps: Iterable[Step] = ()) -> None:
        """Print the final answer: the last of ``steps``, else the last answer again."""
        if last := [*steps] or ([self.last] if self.last else []):
            self.print(last[-1:], final=True)


class _Mixed:
    """Averages channels: ``(samples, channels)`` to ``(samples,)``; one channel stays unchanged."""

    def __init__(self) -> None:
        from serbench_runtime.waveform import Tally

        self.tally = Tally()

    def __call__(self, chunk: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the mean over channels.

        Raises:
            WaveformError: channels cancel one another, or ``scaled`` refuses the samples.
        """
        from serbench_runtime.arrays import scaled

        if chunk.shape[1] == 1:
            return chunk[:, 0]
        mono = self.tally.add(scaled(chunk))
        if self.tally.samples and (problem := self.tally.problem):
            raise WaveformError(f"the sound cannot be used: {problem}")
        return mono


def _raw_pcm(
    encoding: Encoding, samples: int, channels: int, program: str
) -> Iterator[NDArray[np.generic]]:
    """Chunks ``(samples, channels)`` of standard input as they arrive, of at most ``samples``."""
    import numpy as np

    kind = np.dtype("<i2" if encoding is Encoding.s16le else "<f4")
    size = kind.itemsize * channels
    pipe = cast("BufferedReader", sys.stdin.buffer)
    rest, first = b"", True
    # read1 returns the available bytes, and waits only if there are none.
    while got := pipe.read1(samples * size):
        rest += got
        if first and len(rest) >= 4:
            _refuse_header(rest[:4])
            first = False
        whole = len(rest) - len(rest) % size
        yield np.frombuffer(rest[:whole], kind).reshape(-1, channels)
        rest = rest[whole:]
    if rest:
        told = f"the input ends in the middle of an {encoding} sample, which is left out"
        print(f"{program}: {told}", file=sys.stderr)


def _watched(
    chunks: Iterator[NDArray[np.generic]], rate_hz: float, program: str
) -> Iterator[NDArray[np.generic]]:
    """Yield the ``chunks`` unchanged; warn once if they look like two interleaved channels."""
    import numpy as np

    from serbench_runtime.arrays import scaled
    from serbench_runtime.interleaved import QUIETEST, SECONDS, looks_interleaved

    left, held = round(SECONDS * rate_hz), []
    for chunk in chunks:
        yield chunk
        if left <= 0 or not len(chunk):
            continue
        samples = scaled(chunk[:, 0])
        if np.sqrt(np.square(samples).mean()) >= QUIETEST:
            held.append(samples)
            left -= len(samples)
            if left <= 0 and looks_interleaved(np.concatenate(held)):
                print(
                    f"{program}: the sound looks like two interleaved channels, read as one; "
                    "give --channels 2, or one channel (ffmpeg -ac 1)",
                    file=sys.stderr,
                )


def _refuse_header(start: bytes) -> None:
    if start in HEADERS:
        raise WaveformError(
            f"standard input is a {HEADERS[start]} file, not raw PCM; convert it: ffmpeg -v "
            "error -i - -f s16le -ac 1 -ar 16000 -, or use predict MODEL -"
        )


def _print_capacity(model: Model, step_s: float, threads: int) -> None:
    from serbench_runtime import capacity

    found = capacity(model, step_s)
    used = f"{100 * found.used:.0f} % of real time used, {100 * found.late:.0f} % of steps late"
    many = "1 thread" if threads == 1 else f"{threads} threads"
    print(
        f"{found.streams} simultaneous streams on {many}: {used}, over {found.seconds:g} s with a "
        f"step of {found.step_s:g} s and windows of {found.window_s:g} s"
    )
