"""Entry point ``front_ends``: from a waveform to a student's input."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import FrontEnd, hookimpl
from serbench_front_ends.acoustic import AcousticVector
from serbench_front_ends.encoder_frames import EncoderFrames
from serbench_front_ends.entropy import EntropyVector
from serbench_front_ends.functionals import UtteranceFunctionals
from serbench_front_ends.log_mel import LogMel
from serbench_front_ends.mfcc import Mfcc
from serbench_front_ends.spectrograms import Spectrograms
from serbench_front_ends.tqwt import TqwtPatterns
from serbench_front_ends.waveform import Waveform
from serbench_front_ends.whisper import Whisper


@hookimpl
def serbench_front_ends() -> Sequence[type[FrontEnd]]:
    """All front ends of this plugin."""
    return (
        *(LogMel, Whisper, Waveform, Mfcc, Spectrograms, EncoderFrames),
        *(UtteranceFunctionals, AcousticVector, EntropyVector, TqwtPatterns),
    )
