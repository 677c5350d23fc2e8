"""The entry point ``thirdparty``."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Corpus, FrontEnd, Loss, Student, hookimpl
from serbench_thirdparty.focal import Focal
from serbench_thirdparty.levels import Levels
from serbench_thirdparty.tiny_mlp import TinyMlp
from serbench_thirdparty.tones import Tones


@hookimpl
def serbench_corpora() -> Sequence[type[Corpus]]:
    """``tones``."""
    return [Tones]


@hookimpl
def serbench_front_ends() -> Sequence[type[FrontEnd]]:
    """``levels``."""
    return [Levels]


@hookimpl
def serbench_students() -> Sequence[type[Student]]:
    """``tiny-mlp``."""
    return [TinyMlp]


@hookimpl
def serbench_losses() -> Sequence[type[Loss]]:
    """``focal``."""
    return [Focal]
