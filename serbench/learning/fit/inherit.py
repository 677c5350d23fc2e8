"""Students that inherit: they copy a pretrained model's weights, and may need speech for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from serbench.api import PluginError, Student, Windows
from serbench.learning.fit.batches import Batches


def inherit(student: Student, network: nn.Module, speech: Iterable[Windows]) -> None:
    """Give a network the weights that its student inherits.

    Raises:
        PluginError: the student has replaced parameters; the new ones would not be trained.
        TeacherError: the weights are not available or do not fit.
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

    It has a generator of its own: the later draws of a fit do not depend on how much was read here.

    Args:
        batches: the batches whose windows are used.
        size: windows of a batch; the last batch may be smaller.
        seed: seed of the order and of the windows' beginnings.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(batches.labels), generator=generator).to(batches.labels.device)
    for rows in order.split(size):
        yield batches.plain(rows, torch.rand(len(rows), generator=generator).to(rows.device))
