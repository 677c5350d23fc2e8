"""Blocks of speech, which front ends and teachers compute in this process or in others.

A block travels as a plugin without weights and the places of recordings. A process loads the
weights once, and has them until it computes something else.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from serbench.api import FrontEnd, Teacher, TeacherError
from serbench.data.corpus.table import Recording

P = TypeVar("P", bound=FrontEnd | Teacher)
R = TypeVar("R")

BLOCK_S = 32.0
"""Speech in a block, in seconds; a longer recording is a block of its own."""

BLOCK_RECORDINGS = 32


@dataclass(frozen=True)
class Block(Generic[P]):
    """What a process needs to compute some recordings.

    Attributes:
        plugin: a front end or a teacher, not loaded.
        name: in messages.
        model: digest of its weights; empty: it has none.
        device: where its model runs.
    """

    plugin: P
    name: str
    model: str
    device: str
    recordings: tuple[Recording, ...]


class Mapper(Protocol):
    """Computes blocks somewhere: results in the order of blocks, of which only a few wait."""

    def __call__(
        self, function: Callable[[Block[P]], R], blocks: Iterable[Block[P]], /
    ) -> Iterator[R]:
        """``function`` of each block."""
        ...


Spread = Callable[[Recording], Mapper | None]
"""What computes blocks of speech that begins with a recording; None: this process does."""


def here(_: Recording) -> None:
    """In this process."""


def as_blocks(
    plugin: P, name: str, device: str, parts: Iterable[Iterable[Recording]]
) -> Iterator[Block[P]]:
    """A block of each part.

    Raises:
        TeacherError: the weights cannot be had.
    """
    model, fresh = plugin.model_digest, type(plugin)(plugin.params)
    return (Block(fresh, name, model, device, tuple(part)) for part in parts)


def consecutive(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    """The recordings in their order, in parts of about ``BLOCK_S``."""
    part: list[Recording] = []
    for recording in recordings:
        seconds = sum(each.duration_s for each in part) + recording.duration_s
        if part and (seconds > BLOCK_S or len(part) == BLOCK_RECORDINGS):
            yield part
            part = []
        part.append(recording)
    if part:
        yield part


_kept: dict[object, Any] = {}


def kept_for(block: Block[P], load: Callable[[P], R]) -> R:
    """What ``load`` makes of the block's plugin, made once in this process.

    Raises:
        TeacherError: the weights here are others than those of the command, or cannot be had.
    """
    plugin = block.plugin
    key = (type(plugin), plugin.params.model_dump_json(), block.model, block.device)
    if key not in _kept:
        let_go()
        if (found := plugin.model_digest) != block.model:
            raise TeacherError(
                f"{block.name} has other weights on {platform.node()} than where the command runs "
                f"({found} there, {block.model} here); copy the same weights to all machines"
            )
        _kept[key] = load(plugin)
    return _kept[key]


def let_go() -> None:
    """Free the memory of what was loaded last."""
    _kept.clear()
