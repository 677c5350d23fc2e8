"""Whisper's encoder (Radford et al., ICML 2023): its front end, and its weights as ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import PluginError, TeacherError
from serbench_inherited.budget import Ranks
from serbench_inherited.folding import folded, set_weights
from serbench_inherited.network import FAR_BELOW, Attention, Block, Encoder, FeedForward, frame_mask

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from transformers import PretrainedConfig

RANGE = 2.0
"""Whisper hears nothing that is more than this (8 powers of ten, over 4) below the loudest."""
STRIDE = 2
TOKENS_HZ = 50
LONGEST = 10 * TOKENS_HZ
"""Rows that are kept of the position table: 10 s of the encoder's 30 s."""
TAPS = 3
"""Width of both convolutions."""


class WhisperFront(nn.Module):
    """Log-mel frames to half as many tokens: two convolutions, and a table of positions.

    Args:
        bins: mel filters.
        channels: of the first convolution.
        width: D.
        positions: rows of the table; it reads no more tokens.
    """

    positions: Tensor

    def __init__(self, bins: int, channels: int, width: int, positions: int) -> None:
        super().__init__()
        self.channels = channels
        self.filters = nn.Conv1d(bins, channels, TAPS, padding=1)
        self.halve = nn.Conv1d(channels, width, TAPS, stride=STRIDE, padding=1)
        self.register_buffer("positions", sinusoids(positions, width))

    def filtered(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c frames"]:
        """Activations of the first convolution, 0 beyond the real frames."""
        x = features[:, 0]
        padding = ~frame_mask(lengths, x.shape[2])[:, None]  # (N, 1, frames)
        loudest = x.masked_fill(padding, FAR_BELOW).amax(dim=(1, 2), keepdim=True)
        x = torch.maximum(x, loudest - RANGE).masked_fill(padding, 0.0)
        return F.gelu(self.filters(x)).masked_fill(padding, 0.0)

    def forward(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N w D"], Int[Tensor, " N"]]:
        """Tokens and how many of them are real."""
        x = F.gelu(self.halve(self.filtered(features, lengths))).transpose(1, 2)
        longest = len(self.positions)
        if x.shape[1] > longest and not torch.compiler.is_compiling():
            raise PluginError(
                f"an inherited student reads windows of at most {longest / TOKENS_HZ:g} s; "
                "set segments.window_s to less"
            )
        rows = torch.arange(x.shape[1], device=x.device).clamp_max(longest - 1)
        lengths = torch.div(lengths + STRIDE - 1, STRIDE, rounding_mode="floor")
        return x + self.positions[rows], lengths


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Sines, then cosines, of ``width // 2`` rates from 1 to 1/10000 a token."""
    rates = torch.exp(
        -math.log(10_000.0) / (width // 2 - 1) * torch.arange(width // 2, dtype=torch.float64)
    )
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@dataclass(frozen=True, slots=True)
class WhisperSizes:
    """Sizes of a Whisper encoder.

    Attributes:
        bins: mel filters.
        width: D.
        heads: per block.
        units: of the feed-forward layer.
        depth: number of blocks.
        positions: rows that are kept of the position table.
    """

    bins: int
    width: int
    heads: int
    units: int
    depth: int
    positions: int

    @classmethod
    def of(cls, config: PretrainedConfig) -> WhisperSizes:
        """
        Raises:
            TeacherError: an activation that no published Whisper has.
        """
        if config.activation_function != "gelu":
            raise TeacherError(
                f"a Whisper with {config.activation_function!r} cannot be inherited; only gelu can"
            )
        return cls(
            bins=config.num_mel_bins,
            width=config.d_model,
            heads=config.encoder_attention_heads,
            units=config.encoder_ffn_dim,
            depth=config.encoder_layers,
            positions=min(config.max_source_positions, LONGEST),
        )

    @property
    def hears(self) -> Mapping[str, object]:
        """See ``Student.hears``."""
        return {
            "kind": "whisper",
            "n_mels": self.bins,
            "f_min_hz": 0.0,
            "f_max_hz": 8000.0,
            "normalise": "none",
        }

    def full(self, blocks: int) -> Ranks:
        """The encoder's own ranks."""
        head = self.width // self.heads
        return Ranks(self.width, (head,) * blocks, (head,) * blocks, (self.units,) * blocks)

    def build(self, ranks: Ranks) -> Encoder:
        """An encoder of these ranks with fresh weights."""
        scale = (self.width // self.heads) ** -0.5
        blocks = [
            Block(
                Attention(self.width, self.heads, query, value, scale),
                FeedForward(self.width, units),
                epsilon=1e-5,
            )
            for query, value, units in zip(ranks.query, ranks.value, ranks.units, strict=True)
        ]
        return Encoder(WhisperFront(self.bins, ranks.channels, self.width, self.positions), blocks)


@torch.no_grad()
def copy_weights(model: nn.Module, encoder: Encoder) -> None:
    """Whisper's own weights, folded, into an encoder of full ranks.

    Args:
        model: transformers' ``WhisperEncoder``.
        encoder: changed in place; takes its first blocks.
    """
    front = cast("WhisperFront", encoder.front)
    front.filters.load_state_dict(cast("nn.Module", model.conv1).state_dict())
    front.halve.load_state_dict(cast("nn.Module", model.conv2).state_dict())
    table = cast("nn.Embedding", model.embed_positions).weight.detach()
    front.positions.copy_(table[: len(front.positions)])
    layers = cast("nn.ModuleList", model.layers)
    for block, layer in zip(encoder.blocks, layers, strict=False):
        _copy_block(layer, cast("Block", block))


def _copy_block(layer: Any, block: Block) -> None:
    norm, attention = layer.self_attn_layer_norm, layer.self_attn
    set_weights(block.attention.query, *folded(attention.q_proj, norm))
    set_weights(block.attention.key, folded(attention.k_proj, norm)[0])
    value, constant = folded(attention.v_proj, norm)
    set_weights(block.attention.value, value)
    output = attention.out_proj.weight.double()
    set_weights(block.attention.output, output, attention.out_proj.bias + output @ constant)
    set_weights(block.feed.expand, *folded(layer.fc1, layer.final_layer_norm))
    set_weights(block.feed.contract, layer.fc2.weight, layer.fc2.bias)
