"""Microphones, through the extra ``microphone``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serbench_runtime.errors import SerbenchError


def listen(
    rate_hz: float, block: int, channels: int, device: str | None, program: str
) -> Iterator[NDArray[np.float32]]:
    """Sound of a microphone, ``(block, channels)`` at a time, until the command is stopped.

    Args:
        rate_hz: sample rate of the sound.
        block: number of samples at a time.
        channels: number of channels of the microphone.
        device: the microphone's number or a part of its name; None: the system's default.
        program: the command line's name, for messages.

    Raises:
        SerbenchError: sounddevice, PortAudio or this microphone is missing.
    """
    sounddevice = _sounddevice()
    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        with sounddevice.InputStream(
            samplerate=rate_hz, channels=channels, dtype="float32", device=chosen
        ) as stream:
            while True:
                samples, lost = stream.read(block)
                if lost:
                    told = "sound was lost: this machine is too slow"
                    print(f"{program}: {told}", file=sys.stderr)
                yield samples
    # sounddevice raises ValueError if no microphone, or more than one, has this name.
    except (sounddevice.PortAudioError, ValueError) as error:
        which = "the microphone" if device is None else f"the microphone {device!r}"
        raise SerbenchError(
            f"{which} cannot be used with {channels} channel{'s' * (channels > 1)} at "
            f"{rate_hz:g} Hz ({error}); try another --rate, such as 48000; --list-devices shows "
            "the microphones"
        ) from error


def print_microphones() -> None:
    """Print number, name, channels and rate of every microphone; ``default`` marks one.

    Raises:
        SerbenchError: sounddevice or PortAudio is missing, or there is no microphone.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    found = [
        (number, each["name"], each["max_input_channels"], each["default_samplerate"])
        for number, each in enumerate(sounddevice.query_devices())
        if each["max_input_channels"]
    ]
    if not found:
        raise SerbenchError("no microphone found")
    width = max(len("MICROPHONE"), *(len(name) for _, name, _, _ in found))
    print(f"NUMBER  {'MICROPHONE':{width}}  CHANNELS  RATE")
    for number, name, channels, rate_hz in found:
        mark = "  default" if number == default else ""
        print(f"{number:<6}  {name:{width}}  {channels:<8}  {rate_hz:g}{mark}")


def _sounddevice() -> Any:
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise SerbenchError(
            "a microphone needs sounddevice: pip install 'serbench-runtime[microphone]'"
        ) from error
    except OSError as error:  # the package is installed, but not the PortAudio library
        raise SerbenchError(
            f"a microphone needs PortAudio ({error}); install your system's package, such as "
            "libportaudio2"
        ) from error
