"""The teachers that come with serbench."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Teacher, hookimpl
from serbench_teachers.functionals import Functionals
from serbench_teachers.speech_encoder import SpeechEncoder


@hookimpl
def serbench_teachers() -> Sequence[type[Teacher]]:
    """Teacher classes."""
    return (SpeechEncoder, Functionals)
