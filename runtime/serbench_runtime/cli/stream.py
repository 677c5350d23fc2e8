"""``serbench stream``: what an exported model says of sound while it comes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, cast

import typer

from serbench_runtime.cli.options import ModelFile, Threads
from serbench_runtime.cli.pipes import finishing_early
from serbench_runtime.cli.stopping import stopped
from serbench_runtime.errors import SerbenchError, WaveformError

if TYPE_CHECKING:
    from io import BufferedReader

    import numpy as np
    from numpy.typing import NDArray

    from serbench_runtime import Model, Step

HELP = """Classify sound while it comes: each step, one line of JSON.

A step hears the last window of the model (3 s), or all while less has come. Stop with Ctrl-C,
or at the end of the input.

Examples:

  ffmpeg -v error -i call.mp3 -f s16le -ac 1 -ar 16000 - | serbench stream akd.onnx

  serbench stream akd.onnx --microphone

  serbench stream akd-int8.onnx --capacity
"""

HEADERS = {b"RIFF": "WAV", b"RF64": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"FORM": "AIFF"}
"""How files begin that are not raw PCM."""


class Encoding(StrEnum):
    """Of raw PCM."""

    s16le = "s16le"
    f32le = "f32le"


def command(
    context: typer.Context,
    model: ModelFile,
    source: Annotated[
        str, typer.Argument(metavar="[-]", help="- is standard input: raw PCM, one channel.")
    ] = "-",
    step: Annotated[float, typer.Option(help="Seconds between answers.")] = 0.5,
    average: Annotated[
        int, typer.Option(min=1, help="An answer is the mean posterior over so many windows.")
    ] = 4,
    rate: Annotated[
        float | None, typer.Option(help="Of the sound in Hz. Default: the model's, 16000.")
    ] = None,
    encoding: Annotated[Encoding, typer.Option(help="Of raw PCM.")] = Encoding.s16le,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Listen to the system's default microphone.")
    ] = False,
    capacity: Annotated[
        bool,
        typer.Option("--capacity", help="Measure how many simultaneous streams are kept up with."),
    ] = False,
    threads: Threads = 1,
) -> None:
    """Classify sound while it comes; see HELP."""
    program = str(context.find_root().info_name)
    _check_source(source, microphone, capacity, program)
    from serbench_runtime import load

    loaded = load(model, threads=threads)
    if capacity:
        _print_capacity(loaded, step, threads)
        return
    rate_hz = loaded.sample_rate_hz if rate is None else rate
    stream = loaded.stream(step, average=average, sample_rate=rate_hz)
    if microphone:
        chunks = _microphone(rate_hz, step)
    else:
        chunks = _raw_pcm(encoding, max(1, round(step * rate_hz)))
    with finishing_early():
        try:
            for chunk in chunks:
                _print_steps(loaded, stream.feed(chunk))
            _print_steps(loaded, stream.finish())
        except KeyboardInterrupt:
            typer.echo(f"stopped after {stream.heard_s:.1f} s of sound", err=True)
            raise typer.Exit(stopped()) from None
    if stream.heard_s < loaded.shortest_s:
        raise WaveformError(
            f"standard input ended after {stream.heard_s:.3f} s of sound; at least "
            f"{loaded.shortest_s:g} s are needed"
        )


def _check_source(source: str, microphone: bool, capacity: bool, program: str) -> None:
    if source != "-":
        raise SerbenchError(
            f"{source}: a stream is read from standard input, as raw PCM; for a file: "
            f"ffmpeg -v error -i {source} -f s16le -ac 1 -ar 16000 - | {program} stream MODEL; "
            f"or {program} predict MODEL FILE"
        )
    if microphone and capacity:
        raise SerbenchError("--capacity listens to nothing; leave --microphone out")
    if not (microphone or capacity) and sys.stdin.isatty():
        raise SerbenchError(
            "standard input is a terminal; pipe raw PCM into this command, or give --microphone"
        )


def _print_steps(model: Model, steps: Iterable[Step]) -> None:
    from serbench_runtime import by_label

    for step in steps:
        line = {
            "time_s": round(step.time_s, 3),
            "label": step.label,
            "posteriors": by_label(model.labels, step.posteriors),
            "latency_s": round(step.latency_s, 6),
        }
        print(json.dumps(line), flush=True)


def _raw_pcm(encoding: Encoding, samples: int) -> Iterator[NDArray[np.generic]]:
    """Standard input as it comes, at most ``samples`` at once."""
    import numpy as np

    kind = np.dtype("<i2" if encoding is Encoding.s16le else "<f4")
    pipe = cast("BufferedReader", sys.stdin.buffer)
    rest, first = b"", True
    # read1 returns what is there, and waits only where nothing is.
    while got := pipe.read1(samples * kind.itemsize):
        rest += got
        if first and len(rest) >= 4:
            _refuse_header(rest[:4])
            first = False
        whole = len(rest) - len(rest) % kind.itemsize
        yield np.frombuffer(rest[:whole], kind)
        rest = rest[whole:]
    if rest:
        typer.echo(
            f"the input ends in the middle of an {encoding} sample, which is left out",
            err=True,
        )


def _refuse_header(start: bytes) -> None:
    if start in HEADERS:
        raise WaveformError(
            f"standard input is a {HEADERS[start]} file, not raw PCM; convert it: ffmpeg -v error "
            "-i - -f s16le -ac 1 -ar 16000 -; or use predict"
        )


def _microphone(rate_hz: float, step_s: float) -> Iterator[NDArray[np.generic]]:
    """The default microphone, a tenth of a step at a time or more."""
    try:
        sounddevice = import_module("sounddevice")
    except ImportError as error:
        raise SerbenchError(
            "--microphone needs sounddevice: pip install 'serbench-runtime[microphone]'"
        ) from error
    except OSError as error:  # the package is there, the PortAudio library is not
        raise SerbenchError(
            f"--microphone needs PortAudio ({error}); install your system's package, such as "
            "libportaudio2"
        ) from error
    block = max(1, round(rate_hz * step_s / 10))
    try:
        with sounddevice.InputStream(samplerate=rate_hz, channels=1, dtype="float32") as device:
            while True:
                samples, lost = device.read(block)  # (samples, 1)
                if lost:
                    typer.echo("sound was lost: this machine does not keep up", err=True)
                yield samples[:, 0]
    except sounddevice.PortAudioError as error:
        raise SerbenchError(
            f"the microphone cannot be used at {rate_hz:g} Hz ({error}); another --rate, such as "
            "48000, may do"
        ) from error


def _print_capacity(model: Model, step_s: float, threads: int) -> None:
    from serbench_runtime import capacity

    found = capacity(model, step_s)
    used = f"{100 * found.used:.0f} % of real time used, {100 * found.late:.0f} % of steps late"
    many = "1 thread" if threads == 1 else f"{threads} threads"
    print(
        f"{found.streams} simultaneous streams on {many}: {used}, over {found.seconds:g} s with a "
        f"step of {found.step_s:g} s and windows of {found.window_s:g} s"
    )
