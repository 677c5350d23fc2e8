"""Blocks of speech, which front ends and teachers compute in this process or in others.

A block carries a plugin without its weights, and where its recordings are. A process loads the
weights once, and keeps them until it computes with another plugin.
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
        name: the plugin's name in messages.
        model: digest of the plugin's weights; empty if it has none.
        device: where the plugin's model runs.
    """

    plugin: P
    name: str
    model: str
    device: str
    recordings: tuple[Recording, ...]


class Mapper(Protocol):
    """Computes blocks somewhere, and gives the results in the order of the blocks.

    It takes only a few blocks in advance.
    """

    def __call__(
        self, function: Callable[[Block[P]], R], blocks: Iterable[Block[P]], /
    ) -> Iterator[R]:
        """Yield the result of ``function`` for each block."""
        ...


Spread = Callable[[Recording], Mapper | None]
"""Given the first recording, the mapper for blocks of speech; None: this process computes them."""


def here(_: Recording) -> None:
    """A ``Spread`` that leaves all blocks to this process."""


def as_blocks(
    plugin: P, name: str, device: str, parts: Iterable[Iterable[Recording]]
) -> Iterator[Block[P]]:
    """One block for each part.

    Raises:
        TeacherError: the weights are not available.
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
    """Return what ``load`` makes of the block's plugin; this process makes it once and keeps it.

    Raises:
        TeacherError: the weights on this machine are not those of the machine where the command
            runs, or are not available.
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
    """Free the memory of the plugin that was loaded last."""
    _kept.clear()
