"""Units that can be removed from a network: attention heads and hidden units of perceptrons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from serbench.api import Student, StudentShape


@dataclass(frozen=True)
class Draft:
    """A network that is being pruned, and the student plugin that builds networks of its widths.

    Attributes:
        student: with the parameters that ``network`` was built with, or was cut down to.
        network: the network with its weights.
        shape: the shape that it was built for.
    """

    student: Student
    network: nn.Module
    shape: StudentShape


class Group(Protocol):
    """Parallel units, of which some can be removed.

    Attributes:
        name: their place in the network.
        units: number of units.
        sizes: numbers of units that can be left, in ascending order; the last is ``units``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see above

    @property
    def units(self) -> int: ...  # noqa: D102 - see above

    @property
    def sizes(self) -> Sequence[int]: ...  # noqa: D102 - see above

    def norms(self, network: nn.Module) -> Tensor:
        """The L2 norms ``(units,)`` of all weights and biases that are removed with each unit.

        Norms of whole filters as in Li et al., *Pruning Filters for Efficient ConvNets* (ICLR
        2017), over all that depends on the unit as in Fang et al., *DepGraph: Towards Any
        Structural Pruning* (CVPR 2023).
        """
        ...

    def silence(self, network: nn.Module, units: Tensor) -> None:
        """Make the output of ``units`` 0 without changing shapes, in place."""
        ...

    def remove(self, draft: Draft, kept: Tensor) -> Draft:
        """Remove all units except ``kept``; the network may be changed in place."""
        ...


class FewerHeads(nn.Module):
    """Multi-head self-attention without some of its heads: ``(B, tokens, d)`` to the same shape.

    It computes whole attention, but with projections to and from the kept heads only.

    Args:
        whole: a module of the form that ``find_heads`` looks for.
        kept: numbers of its heads, in ascending order.
    """

    def __init__(self, whole: nn.Module, kept: Tensor) -> None:
        super().__init__()
        qkv, out, heads = attention_parts(whole)
        self.heads = len(kept)
        self.head_dim = out.in_features // heads
        columns = (kept[:, None] * self.head_dim + torch.arange(self.head_dim)).flatten()
        rows = (torch.arange(3)[:, None] * out.in_features + columns).flatten()
        self.qkv = cut_linear(qkv, rows=rows)
        self.out = cut_linear(out, columns=columns)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask (B, tokens)`` is True on real tokens."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, tokens, d/heads) each
        scores = query @ key.transpose(-2, -1) * self.head_dim**-0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        y = scores.softmax(dim=-1).to(value.dtype) @ value
        return self.out(y.transpose(1, 2).flatten(2))


@dataclass(frozen=True)
class Heads:
    """The heads of one attention module, see ``find_heads``."""

    name: str
    units: int

    @property
    def sizes(self) -> Sequence[int]:
        """Every number of heads from 1."""
        return range(1, self.units + 1)

    def norms(self, network: nn.Module) -> Tensor:
        """The norms over the rows of query, key and value, and the columns of the projection."""
        qkv, out, heads = attention_parts(network.get_submodule(self.name))
        parts = [qkv.weight.unflatten(0, (3, heads, -1)).transpose(0, 1)]
        if qkv.bias is not None:
            parts.append(qkv.bias.unflatten(0, (3, heads, -1)).transpose(0, 1))
        parts.append(out.weight.unflatten(1, (heads, -1)).transpose(0, 1))
        return unit_norms(parts)

    def silence(self, network: nn.Module, units: Tensor) -> None:
        """Set the weights of the projection after the heads to 0 for these units."""
        _, out, heads = attention_parts(network.get_submodule(self.name))
        with torch.no_grad():
            out.weight.view(out.out_features, heads, -1)[:, units] = 0.0

    def remove(self, draft: Draft, kept: Tensor) -> Draft:
        """Replace the module by ``FewerHeads``, in place."""
        whole = draft.network.get_submodule(self.name)
        draft.network.set_submodule(self.name, FewerHeads(whole, kept))
        return draft


def find_heads(draft: Draft) -> Iterator[Heads]:
    """Find attention modules whose heads can be separated.

    Each has a number ``heads``, two children, and no other weight: ``qkv``, a linear layer
    from d to 3d, and ``out``, one from d to d; queries come first, then keys, then values. Each of
    these is the heads one after another.
    """
    for name, module in draft.network.named_modules():
        try:
            _, _, heads = attention_parts(module)
        except TypeError:
            continue
        if heads > 1 and name:
            yield Heads(name, heads)


def attention_parts(module: nn.Module) -> tuple[nn.Linear, nn.Linear, int]:
    """``qkv``, ``out`` and the number of heads of an attention module of the form that
    ``find_heads`` describes.

    Raises:
        TypeError: the module does not have this form.
    """
    children = dict(module.named_children())
    heads = getattr(module, "heads", None)
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    if children.keys() == {"qkv", "out"} and isinstance(heads, int) and not own:
        qkv, out = children["qkv"], children["out"]
        if isinstance(qkv, nn.Linear) and isinstance(out, nn.Linear):
            d = qkv.in_features
            sizes = (qkv.out_features, out.in_features, out.out_features)
            if sizes == (3 * d, d, d) and d % heads == 0:
                return qkv, out, heads
    raise TypeError(type(module).__name__)


ELEMENTWISE = (
    nn.ELU, nn.GELU, nn.Hardswish, nn.Identity, nn.LeakyReLU, nn.Mish, nn.ReLU, nn.ReLU6, nn.SiLU,
    nn.Sigmoid, nn.Softplus, nn.Tanh, nn.Dropout,
)  # fmt: skip
"""Modules that treat each hidden unit separately, and all units alike."""


@dataclass(frozen=True)
class HiddenUnits:
    """The hidden units between two linear layers of an ``nn.Sequential``.

    Attributes:
        path: path of the Sequential.
        first, second: names of the layers in it.
    """

    path: str
    first: str
    second: str
    units: int

    @property
    def name(self) -> str:
        """Name of the layer that computes the units."""
        return f"{self.path}.{self.first}"

    @property
    def sizes(self) -> Sequence[int]:
        """Every number of units from 1."""
        return range(1, self.units + 1)

    def norms(self, network: nn.Module) -> Tensor:
        """The norms over the rows of the first layer, and the columns of the second."""
        first, second = self._layers(network)
        parts = [first.weight, second.weight.T]
        return unit_norms(parts if first.bias is None else [*parts, first.bias])

    def silence(self, network: nn.Module, units: Tensor) -> None:
        """Set the weights with which the second layer reads these units to 0."""
        with torch.no_grad():
            self._layers(network)[1].weight[:, units] = 0.0

    def remove(self, draft: Draft, kept: Tensor) -> Draft:
        """Replace both layers, in place."""
        first, second = self._layers(draft.network)
        sequence = draft.network.get_submodule(self.path)
        sequence.set_submodule(self.first, cut_linear(first, rows=kept))
        sequence.set_submodule(self.second, cut_linear(second, columns=kept))
        return draft

    def _layers(self, network: nn.Module) -> tuple[nn.Linear, nn.Linear]:
        sequence = network.get_submodule(self.path)
        first = sequence.get_submodule(self.first)
        second = sequence.get_submodule(self.second)
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        return first, second


def find_hidden_units(draft: Draft) -> Iterator[HiddenUnits]:
    """Find perceptrons: in an ``nn.Sequential``, two linear layers with only ``ELEMENTWISE``
    modules between them.
    """
    for path, module in draft.network.named_modules():
        if not isinstance(module, nn.Sequential) or not path:
            continue
        layers = [each for each in module.named_children() if not isinstance(each[1], ELEMENTWISE)]
        for (first, before), (second, after) in itertools.pairwise(layers):
            if isinstance(before, nn.Linear) and isinstance(after, nn.Linear):
                yield HiddenUnits(path, first, second, before.out_features)


def unit_norms(parts: Sequence[Tensor]) -> Tensor:
    """The L2 norms ``(units,)`` over all ``parts``, each ``(units, …)``."""
    squares = [part.detach().float().square().flatten(1).sum(dim=1) for part in map(_deep, parts)]
    return torch.stack(squares).sum(dim=0).sqrt()


def _deep(part: Tensor) -> Tensor:
    return part if part.ndim > 1 else part[:, None]


def cut_linear(
    layer: nn.Linear, rows: Tensor | None = None, columns: Tensor | None = None
) -> nn.Linear:
    """A linear layer with only some of its outputs (``rows``) and inputs (``columns``)."""
    weight, bias = layer.weight.detach(), layer.bias
    if rows is not None:
        weight = weight[rows]
        bias = bias[rows] if bias is not None else None
    if columns is not None:
        weight = weight[:, columns]
    rows_left, columns_left = weight.shape
    made = nn.Linear(columns_left, rows_left, bias=bias is not None, device="meta")
    made = made.to_empty(device=weight.device)
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    return made
