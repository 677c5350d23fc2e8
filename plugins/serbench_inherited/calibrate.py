"""Prunes an encoder by its activations on speech, one part after another.

The input of each part is the output of the parts that are already pruned, so that it can correct
their errors: its target is the whole encoder's sum after the part, minus the pruned encoder's sum
before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Windows
from serbench_inherited.folding import bias_of, set_weights
from serbench_inherited.network import Attention, Block, Encoder, FeedForward, frame_mask
from serbench_inherited.prune import (
    Moments,
    eliminate,
    leading_rows,
    least_squares,
    match_products,
)
from serbench_inherited.whisper import STRIDE, TAPS, WhisperFront

EVERY = 2
"""One frame in this many is used for the moments: neighbouring frames are similar, frames of other
voices are not.
"""


@dataclass(slots=True)
class Heard:
    """A batch of windows on its way through the whole and the pruned encoder.

    Attributes:
        whole: ``(N, w, D)``, the whole encoder's activations.
        pruned: the pruned encoder's activations.
        mask: ``(N, w)``, True on real frames.
        bias: ``(heads, w, w)``, the bias of the attention scores; None: the encoder has none.
    """

    whole: Tensor
    pruned: Tensor
    mask: Tensor
    bias: Tensor | None

    @property
    def target(self) -> Tensor:
        """``(N, w, D)``, the activations that the pruned encoder lacks."""
        return self.whole - self.pruned

    def rows(self, x: Tensor) -> Tensor:
        """The real frames of ``x (N, w, d)`` that are used for the moments: ``(rows, d)``."""
        return x[:, ::EVERY][self.mask[:, ::EVERY]]


@torch.no_grad()
def prune(whole: Encoder, pruned: Encoder, speech: Iterable[Windows], ridge: float) -> None:
    """Give ``pruned`` as much of ``whole`` as fits; parts of the same size are copied.

    Args:
        whole: the encoder of full ranks, with weights.
        pruned: the pruned encoder, which is changed in place.
        speech: windows to calibrate on; not read if both encoders have the same ranks.
        ridge: see ``least_squares``.
    """
    if whole.ranks == pruned.ranks:
        pruned.load_state_dict(whole.state_dict())
        return
    if whole.relative is not None and pruned.relative is not None:
        pruned.relative.load_state_dict(whole.relative.state_dict())
    heard = _prune_front(whole, pruned, list(speech), ridge)
    for old, new in zip(whole.blocks, pruned.blocks, strict=True):
        _prune_attention(cast("Block", old), cast("Block", new), heard, ridge)
        _prune_feed(cast("Block", old), cast("Block", new), heard, ridge)


def _prune_front(
    whole: Encoder, pruned: Encoder, windows: Sequence[Windows], ridge: float
) -> list[Heard]:
    """Outputs of both front ends for the windows, after the pruned one has received its weights."""
    old, new = whole.front, pruned.front
    same = whole.ranks.channels == pruned.ranks.channels
    if same:
        new.load_state_dict(old.state_dict())
    else:
        _prune_filters(cast("WhisperFront", old), cast("WhisperFront", new), windows, ridge)
    heard = []
    for features, lengths in windows:
        before, tokens = old(features, lengths)
        after = before.clone() if same else new(features, lengths)[0]
        size = before.shape[1]
        heard.append(Heard(before, after, frame_mask(tokens, size), whole.bias(size)))
    return heard


def _prune_filters(
    old: WhisperFront, new: WhisperFront, windows: Sequence[Windows], ridge: float
) -> None:
    """Choose channels by backward elimination, and refit the second convolution."""
    new.positions.copy_(old.positions)
    weight = old.halve.weight.flatten(1)  # (D, channels · taps)
    moments = Moments(weight.shape[1], 0)
    for features, lengths in windows:
        taps = _taps(old.filtered(features, lengths))
        real = frame_mask((lengths + STRIDE - 1) // STRIDE, taps.shape[1])
        rows = taps[:, ::EVERY][real[:, ::EVERY]]
        moments.add(rows, rows[:, :0])
    gram, _ = moments.centred
    cross = gram @ weight.T.double()
    kept = eliminate(gram, cross, new.channels, group=TAPS, ridge=ridge)
    at = (kept[:, None] * TAPS + torch.arange(TAPS)).flatten()
    refitted = least_squares(gram[at][:, at], cross[at], ridge)  # (kept · taps, D)
    mean, _ = moments.means
    constant = weight.double() @ mean - refitted.T @ mean[at]
    _keep_rows(old.filters, new.filters, kept)
    set_weights(new.halve, refitted.T.unflatten(1, (-1, TAPS)), bias_of(old.halve) + constant)


def _keep_rows(old: nn.Linear | nn.Conv1d, new: nn.Linear | nn.Conv1d, kept: Tensor) -> None:
    set_weights(new, old.weight[kept], bias_of(old)[kept])


def _taps(x: Tensor) -> Tensor:
    """The input of the second convolution from ``x (N, c, frames)`` at each step:
    ``(N, w, c·taps)``.
    """
    return F.pad(x, (1, 1)).unfold(2, TAPS, STRIDE).transpose(1, 2).flatten(2)


def _prune_attention(old: Block, new: Block, heard: Sequence[Heard], ridge: float) -> None:
    """Fit queries and keys by their products, and values by their effect on the output."""
    source, target = old.attention, new.attention
    whole = (source.query.out_features, source.value.out_features)
    same = whole == (target.query.out_features, target.value.out_features)
    if same:
        target.load_state_dict(source.state_dict())
    else:
        _fit_scores(old, target, heard)
        if source.gate is not None and target.gate is not None:
            target.gate.load_state_dict(source.gate.state_dict())
    for each in heard:
        each.whole += source(old.before_attention(each.whole), each.mask, each.bias)
    if not same:
        _fit_values(old, target, heard, ridge)
    new.after_attention.load_state_dict(old.after_attention.state_dict())
    for each in heard:
        each.pruned += target(new.before_attention(each.pruned), each.mask, each.bias)
        each.whole = old.after_attention(each.whole)
        each.pruned = new.after_attention(each.pruned)


def _fit_scores(old: Block, target: Attention, heard: Sequence[Heard]) -> None:
    source = old.attention
    heads, rank = source.heads, target.query.out_features // target.heads
    size = source.query.out_features // heads
    if rank == size:
        target.query.load_state_dict(source.query.state_dict())
        target.key.load_state_dict(source.key.state_dict())
        return
    queries = torch.zeros(heads, size, size, dtype=torch.float64)
    keys = torch.zeros_like(queries)
    for each in heard:
        x = old.before_attention(each.pruned)
        real = each.mask[..., None].to(x.dtype)
        key = source.key(x)
        # A component that all keys of a window have in common changes no attention weight.
        key = key - (key * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True)
        queries += _second_moments(each.rows(source.query(x)), heads)
        keys += _second_moments(each.rows(key), heads)
    p, q = match_products(queries, keys, rank)
    set_weights(
        target.query,
        _per_head(p, source.query.weight),
        _per_head(p, bias_of(source.query)[:, None])[:, 0],
    )
    set_weights(target.key, _per_head(q, source.key.weight))


def _second_moments(rows: Tensor, heads: int) -> Tensor:
    """Sums over ``rows (rows, heads·d)``: ``(heads, d, d)``."""
    x = rows.unflatten(1, (heads, -1)).transpose(0, 1).double()  # (heads, rows, d)
    return x.transpose(1, 2) @ x


def _per_head(maps: Tensor, weight: Tensor) -> Tensor:
    """Product of ``mapsᵀ (heads, d, r)`` and each head's rows of ``weight (heads·d, n)``."""
    heads, size, _ = maps.shape
    rows = weight.double().unflatten(0, (heads, size))
    return (maps.transpose(1, 2) @ rows).flatten(0, 1)


def _fit_values(old: Block, target: Attention, heard: Sequence[Heard], ridge: float) -> None:
    """Fit the values; ``heard.whole`` is already after the part, ``heard.pruned`` is before it."""
    source = old.attention
    heads, rank = source.heads, target.value.out_features // target.heads
    moments = Moments(source.value.out_features, source.output.out_features)
    for each in heard:
        x = old.before_attention(each.pruned)
        mixed = target.mixed(x, each.mask, each.bias, source.value(x))
        moments.add(each.rows(mixed), each.rows(each.target))
    gram, cross = moments.centred
    size = len(gram) // heads
    weight = least_squares(gram, cross, ridge).unflatten(0, (heads, size))
    own = gram.unflatten(1, (heads, size)).unflatten(0, (heads, size))
    moment = torch.stack([own[h, :, h] for h in range(heads)])
    rows = (
        leading_rows(weight.transpose(1, 2), moment, rank)
        if rank < size
        else torch.eye(size, dtype=gram.dtype).expand(heads, size, size)
    )
    project = torch.block_diag(*rows)  # (heads · rank, heads · size)
    refitted = least_squares(project @ gram @ project.T, project @ cross, ridge)
    mean, wanted = moments.means
    set_weights(target.value, project @ source.value.weight.double())
    set_weights(target.output, refitted.T, wanted - refitted.T @ (project @ mean))


def _prune_feed(old: Block, new: Block, heard: Sequence[Heard], ridge: float) -> None:
    """Choose units by backward elimination, and refit the second matrix."""
    source, target = old.feed, new.feed
    same = source.expand.out_features == target.expand.out_features
    if same:
        target.load_state_dict(source.state_dict())
    for each in heard:
        each.whole += source(old.before_feed(each.whole))
    if not same:
        _fit_units(source, target, heard, old.before_feed, ridge)
    new.after_feed.load_state_dict(old.after_feed.state_dict())
    for each in heard:
        each.pruned += target(new.before_feed(each.pruned))
        each.whole, each.pruned = old.after_feed(each.whole), new.after_feed(each.pruned)


def _fit_units(
    source: FeedForward,
    target: FeedForward,
    heard: Sequence[Heard],
    norm: Callable[[Tensor], Tensor],
    ridge: float,
) -> None:
    moments = Moments(source.expand.out_features, source.contract.out_features)
    for each in heard:
        moments.add(source.hidden(norm(each.rows(each.pruned))), each.rows(each.target))
    gram, cross = moments.centred
    kept = eliminate(gram, cross, target.expand.out_features, ridge=ridge)
    refitted = least_squares(gram[kept][:, kept], cross[kept], ridge)
    mean, wanted = moments.means
    _keep_rows(source.expand, target.expand, kept)
    set_weights(target.contract, refitted.T, wanted - refitted.T @ mean[kept])
