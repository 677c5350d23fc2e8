"""Channels of convolutions, found by the parameters of the student that set their number.

Nothing records which weights belong to a channel, and a trace of one forward pass does not show
what a flattened map mixes. But the student's own builder shows it: if one width is made smaller,
exactly the dimensions of weights that belong to this width become smaller. ``network.can_remove``
then tries whether a channel can be removed without changing anything else. It cannot, for instance,
if a layer normalisation over channels follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from serbench.api import SerbenchError, Student
from serbench.studies.prune.groups import Draft, unit_norms

Widths = Literal["units within blocks", "blocks within units"]
"""The order of a flattened map in a dimension of a weight: channels vary fastest, or slowest."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Tie:
    """A dimension of a weight that belongs to a width.

    Attributes:
        tensor: its name in the state of the network.
        dim: 0 if channels are computed, 1 if they are read.
        blocks: number of values of each channel in this dimension.
    """

    tensor: str
    dim: int
    blocks: int


@dataclass(frozen=True)
class Width:
    """The channels whose number one parameter of the student sets.

    Attributes:
        path: path of the parameter, for instance ``("stem_channels", 0)``.
        ties: all dimensions of weights that belong to the channels.
        layout: layout of the ties with several values for each channel.
    """

    path: Path
    units: int
    sizes: Sequence[int]
    ties: tuple[Tie, ...]
    layout: Widths

    @property
    def name(self) -> str:
        """The parameter, as Python writes it."""
        first, *rest = self.path
        return str(first) + "".join(f"[{key}]" for key in rest)

    def norms(self, network: nn.Module) -> Tensor:
        """The norms over all weights that compute the channels, and all that read them."""
        weights = dict(network.named_parameters())
        tied = [tie for tie in self.ties if tie.tensor in weights]
        return unit_norms([self._by_unit(weights[tie.tensor].detach(), tie) for tie in tied])

    def silence(self, network: nn.Module, units: Tensor) -> None:
        """Set all weights and biases that compute the channels to 0, and those of batch norms."""
        weights = dict(network.named_parameters())
        with torch.no_grad():
            for tie in self.ties:
                if tie.dim == 0 and tie.tensor in weights:
                    self._by_unit(weights[tie.tensor], tie)[units] = 0.0

    def remove(self, draft: Draft, kept: Tensor) -> Draft:
        """Build a smaller network with the weights of the kept channels.

        Raises:
            SerbenchError: the student cannot be built with this width.
        """
        state = dict(draft.network.state_dict())
        for tie in self.ties:
            places = torch.arange(self.units * tie.blocks)
            indices = self._by_unit(places, Tie("", 0, tie.blocks))
            if self.layout == "units within blocks":
                chosen = indices[kept].T.flatten()
            else:
                chosen = indices[kept].flatten()
            state[tie.tensor] = state[tie.tensor].index_select(tie.dim, chosen)
        try:
            student = with_width(draft.student, self.path, len(kept))
            network = build_quietly(Draft(student, draft.network, draft.shape))
            network.load_state_dict(state)
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SerbenchError(
                f"student {draft.student.name!r} cannot be built with {self.name} = {len(kept)}: "
                f"{reason}"
            ) from error
        return Draft(student, network.train(draft.network.training), draft.shape)

    def _by_unit(self, tensor: Tensor, tie: Tie) -> Tensor:
        """A view ``(units, blocks, …)`` or ``(units, …)`` of a tensor."""
        if self.layout == "units within blocks":
            view = tensor.unflatten(tie.dim, (tie.blocks, self.units))
            return view.movedim((tie.dim + 1, tie.dim), (0, 1))
        view = tensor.unflatten(tie.dim, (self.units, tie.blocks))
        return view.movedim((tie.dim, tie.dim + 1), (0, 1))


def find_widths(draft: Draft) -> Iterator[Width]:
    """Numbers among the student's parameters on which channels of a convolution depend.

    Yields one width for each layout that a flattened map may have in the layer that reads it; at
    most one of them can be right.
    """
    before = draft.network.state_dict()
    convolutions = {
        f"{name}.weight"
        for name, module in draft.network.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd)
    }
    for path, units in numbers(draft.student.params.model_dump()):
        sizes = [size for size in range(1, units) if _valid(draft.student, path, size)]
        ties = _ties(draft, before, path, units, sizes[-1]) if sizes else ()
        if not any(tie.tensor in convolutions and tie.dim == 0 for tie in ties):
            continue
        layouts: tuple[Widths, ...] = ("units within blocks", "blocks within units")
        for layout in layouts if any(tie.blocks > 1 for tie in ties) else layouts[:1]:
            yield Width(path, units, (*sizes, units), ties, layout)


def numbers(table: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, int]]:
    """Integers above 1 in nested parameters, each with its path."""
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, Mapping):
            yield from numbers(value, path)
        elif isinstance(value, list | tuple):
            yield from numbers(dict(enumerate(value)), path)  # pyright: ignore[reportArgumentType]
        elif isinstance(value, int) and value > 1:
            yield path, value


def _ties(
    draft: Draft, before: Mapping[str, Tensor], path: Path, units: int, size: int
) -> tuple[Tie, ...]:
    """Dimensions that shrink in proportion to a width; empty if more than that changes."""
    try:
        smaller = Draft(with_width(draft.student, path, size), draft.network, draft.shape)
        after = build_quietly(smaller).state_dict()
    except (ValueError, RuntimeError):  # not every number that a schema allows can be built
        return ()
    if after.keys() != before.keys():
        return ()
    ties = []
    for name, tensor in before.items():
        if tensor.ndim != after[name].ndim:
            return ()
        for dim, (old, new) in enumerate(zip(tensor.shape, after[name].shape, strict=True)):
            if old == new:
                continue
            if dim > 1 or old % units or new * units != old * size:
                return ()
            ties.append(Tie(name, dim, old // units))
    return tuple(ties)


def with_width(student: Student, path: Path, size: int) -> Student:
    """The same student with one number of its parameters changed.

    Raises:
        ValueError: its schema does not allow the number.
    """
    table = student.params.model_dump()
    _set(table, path, size)
    cls = type(student)
    return cls(cls.Params.model_validate(table))


def _set(table: Any, path: Path, size: int) -> None:
    """Set a number in nested dictionaries and lists; tuples on the path become lists."""
    first, *rest = path
    if not rest:
        table[first] = size
        return
    if isinstance(table[first], tuple):
        table[first] = list(table[first])
    _set(table[first], tuple(rest), size)


def _valid(student: Student, path: Path, size: int) -> bool:
    try:
        with_width(student, path, size)
    except ValidationError:
        return False
    return True


def build_quietly(draft: Draft) -> nn.Module:
    """Build a fresh network without changing torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        return draft.student.build(draft.shape)
