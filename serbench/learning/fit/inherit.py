"""Students that inherit: they take over a pretrained model's weights, and hear speech for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from serbench.api import PluginError, Student, Windows
from serbench.learning.fit.batches import Batches


def inherit(student: Student, network: nn.Module, speech: Iterable[Windows]) -> None:
    """Give a network the weights that its student inherits.

    Raises:
        PluginError: parameters were replaced, so that nothing would train the new ones.
        TeacherError: the weights cannot be had or do not fit.
    """
    before = list(map(id, network.parameters()))
    student.inherit(network, speech)
    if list(map(id, network.parameters())) != before:
        raise PluginError(
            f"student {student.name!r}: inherit replaced parameters of the network; it must "
            "change them in place, as in parameter.data.copy_(values)"
        )


def each_once(batches: Batches, size: int, seed: int) -> Iterator[Windows]:
    """One random window of each recording, in random order, without augmentation.

    Draws are its own: what a fit draws later does not depend on how much was read here.

    Args:
        batches: windows are cut as it cuts them.
        size: of a batch; the last may be smaller.
        seed: of order and places.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(batches.labels), generator=generator).to(batches.labels.device)
    for rows in order.split(size):
        yield batches.plain(rows, torch.rand(len(rows), generator=generator).to(rows.device))
