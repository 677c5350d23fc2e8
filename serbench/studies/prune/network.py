"""Prunes one network, determines which kinds it allows, and checks that nothing else changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from serbench.api import Params, SerbenchError, Student, StudentShape
from serbench.studies.prune.choices import KINDS, Cut, CutKind
from serbench.studies.prune.groups import Draft, Group, find_heads, find_hidden_units
from serbench.studies.prune.magnitude import (
    hold,
    prunable_layers,
    settle,
    silence_weights,
    smallest_masked,
)
from serbench.studies.prune.widths import find_widths

SOUGHT: Mapping[CutKind, str] = {
    "magnitude": "a layer with a weight matrix or a kernel",
    "heads": (
        "a module that has `heads` above 1, and as children `qkv`, a linear layer from d to 3d, "
        "and `out`, one from d to d, and nothing else"
    ),
    "channels": (
        "an nn.Sequential with two linear layers and an activation between them, or a parameter "
        "of the student that counts channels of a convolution"
    ),
}
"""What a student must have so that each kind can prune it."""

TOLERANCE = 1e-5
"""Greatest difference of a logit between a pruned network and the silenced one, in units of the
greatest logit if that is above 1. The difference arises because sums have another order.
"""


class Pruned(Student):
    """A student plugin that builds one pruned network, with its weights, any number of times.

    Args:
        network: the pruned network; masked weights are 0 already.
        masks: masks of the weights that training must leave at 0, by layer.
    """

    name = "pruned"
    Params = Params

    def __init__(self, network: nn.Module, masks: Mapping[str, Tensor] | None = None) -> None:
        super().__init__(Params())
        self.network = network
        self.masks = masks or {}

    def build(self, shape: StudentShape) -> nn.Module:  # noqa: ARG002 - that of the network
        """A copy of the network with masks applied; its shape is the one that it was built for."""
        return hold(deepcopy(self.network), self.masks)

    def finished(self, state: Mapping[str, Tensor]) -> nn.Module:
        """The network with a trained copy's weights, to which the masks are applied permanently."""
        network = hold(deepcopy(self.network), self.masks)
        network.load_state_dict(dict(state))
        return settle(network, self.masks).eval()


class Pruner:
    """Prunes one network in several ways.

    Args:
        draft: the network, on the CPU; it is not changed.
        name: its name, for messages.
    """

    def __init__(self, draft: Draft, name: str) -> None:
        network = deepcopy(draft.network).eval()
        self.draft = Draft(draft.student, network, draft.shape)
        self.name = name
        self._groups: dict[CutKind, tuple[Group, ...]] = {}

    def groups(self, kind: CutKind) -> tuple[Group, ...]:
        """The groups that a kind cuts, in the order of cutting; none for unstructured kinds.

        Each name occurs once: a width is found in every layout that it may have, but only one can
        be right.
        """
        if kind not in self._groups:
            found: dict[str, Group] = {}
            for group in self._sought(kind):
                if group.name not in found and can_remove(self.draft, group):
                    found[group.name] = group
            self._groups[kind] = tuple(found.values())
        return self._groups[kind]

    def _sought(self, kind: CutKind) -> Iterator[Group]:
        if kind == "heads":
            yield from find_heads(self.draft)
        elif kind == "channels":
            # Widths come first: the student cannot build a network that has lost other units.
            yield from find_widths(self.draft)
            yield from find_hidden_units(self.draft)

    def allows(self, kind: CutKind) -> bool:
        """Whether the network has anything that the kind cuts."""
        if kind == "magnitude":
            return bool(prunable_layers(self.draft.network))
        return bool(self.groups(kind))

    @property
    def kinds(self) -> tuple[CutKind, ...]:
        """The kinds that the network allows."""
        return tuple(kind for kind in KINDS if self.allows(kind))

    def cut(self, cut: Cut) -> Pruned:
        """A student that builds the pruned network.

        Raises:
            SerbenchError: the network has nothing of the kind, the amount removes nothing, or the
                pruned network does not compute the same as the whole one with these units silenced.
        """
        if cut.kind == "none":
            return Pruned(deepcopy(self.draft.network))
        if not self.allows(cut.kind):
            raise SerbenchError(
                f"--kind {cut.kind}: {self.name} has no such parts to remove. Looked for: "
                f"{SOUGHT[cut.kind]}; removing one must change nothing but its own part. Kinds "
                f"that {self.name} allows: {', '.join(self.kinds) or 'none'}"
            )
        return self._mask(cut.amount) if cut.kind == "magnitude" else self._remove(cut)

    def _mask(self, amount: float) -> Pruned:
        masks = smallest_masked(self.draft.network, amount)
        if all(bool(mask.all()) for mask in masks.values()):
            raise SerbenchError(
                f"--amount {amount:g} is less than one weight of {self.name}; give more"
            )
        return Pruned(silence_weights(deepcopy(self.draft.network), masks), masks)

    def _remove(self, cut: Cut) -> Pruned:
        """Remove the weakest units of every group, the same share from each group."""
        groups = self.groups(cut.kind)
        gone = {group: weakest(group, self.draft.network, cut.amount) for group in groups}
        if not any(len(units) for units in gone.values()):
            least = min(1 - group.sizes[-2] / group.units for group in groups)
            raise SerbenchError(
                f"--amount {cut.amount:g} is less than one of the parallel {cut.kind} in "
                f"{self.name}; give {math.ceil(1000 * least) / 1000:g} or more"
            )
        whole = deepcopy(self.draft.network)
        draft = Draft(self.draft.student, deepcopy(self.draft.network), self.draft.shape)
        for group, units in gone.items():
            group.silence(whole, units)
            draft = group.remove(draft, _others(group.units, units))
        gap = logit_gap(whole, draft.network, draft.shape)
        if not gap <= TOLERANCE:
            raise SerbenchError(
                f"--kind {cut.kind} --amount {cut.amount:g}: removing the {cut.kind} of "
                f"{self.name} gives another network than silencing them (a logit differs by "
                f"{gap:.2g}); its parts are connected in an unexpected way, so leave this kind "
                "out"
            )
        return Pruned(draft.network)


def can_remove(draft: Draft, group: Group) -> bool:
    """Whether the network without some units computes the same as with them silenced."""
    if len(group.sizes) < 2:
        return False
    units = torch.arange(group.sizes[-2], group.units)
    whole = deepcopy(draft.network)
    group.silence(whole, units)
    copy = Draft(draft.student, deepcopy(draft.network), draft.shape)
    try:
        smaller = group.remove(copy, _others(group.units, units)).network
        return logit_gap(whole, smaller, draft.shape) <= TOLERANCE
    except (SerbenchError, RuntimeError):  # shapes do not fit: its parts are connected differently
        return False


def weakest(group: Group, network: nn.Module, amount: float) -> Tensor:
    """The units with the smallest norms, in ascending order of their numbers: the share ``amount``,
    rounded, or fewer if the group cannot be cut so far.
    """
    wanted = group.units - round_half_up(amount * group.units)
    kept = next(size for size in group.sizes if size >= wanted)
    order = torch.argsort(group.norms(network), stable=True)
    return order[: group.units - kept].sort().values


def round_half_up(value: float) -> int:
    """Round to the nearest integer; Python's own ``round`` gives 2 for 2.5 heads, and 4 for 3.5."""
    return math.floor(value + 0.5)


def _others(count: int, units: Tensor) -> Tensor:
    """``0 … count - 1`` without ``units``."""
    kept = torch.ones(count, dtype=torch.bool)
    kept[units] = False
    return kept.nonzero().flatten()


@torch.inference_mode()
def logit_gap(one: nn.Module, other: nn.Module, shape: StudentShape) -> float:
    """The greatest difference of a logit, in units of the greatest logit if that is above 1.

    It is measured on two windows of noise, one of them padded.
    """
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, shape.channels, shape.n_mels, 101, generator=generator)
    lengths = torch.tensor([101, 64])
    a = one.eval()(features, lengths).logits.double()
    b = other.eval()(features, lengths).logits.double()
    return float((a - b).abs().max() / max(1.0, float(a.abs().max())))
