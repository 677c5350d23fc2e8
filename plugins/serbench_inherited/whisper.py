"""Whisper's encoder (Radford et al., ICML 2023): its front end, and its weights for our network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, PluginError, TeacherError
from serbench_inherited.budget import Ranks
from serbench_inherited.folding import Parts, copy_block
from serbench_inherited.network import FAR_BELOW, Attention, Block, Encoder, FeedForward, frame_mask

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from transformers import PretrainedConfig

RANGE = 2.0
"""Whisper ignores everything that is more than this (8 powers of ten, divided by 4) below the
loudest value.
"""
STRIDE = 2
TOKENS_HZ = 50
LONGEST = 10 * TOKENS_HZ
"""Number of rows that are kept of the position table: 10 s of the encoder's 30 s."""
TAPS = 3
"""Width of both convolutions."""


class WhisperFront(nn.Module):
    """Converts log-mel frames to half as many tokens: two convolutions, and a table of positions.

    Args:
        bins: mel filters.
        channels: channels of the first convolution.
        width: D.
        positions: number of rows of the table, which is the largest number of tokens.
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
                f"an inherited student accepts windows of at most {longest / TOKENS_HZ:g} s; set "
                "segments.window_s to less"
            )
        rows = torch.arange(x.shape[1], device=x.device).clamp_max(longest - 1)
        lengths = torch.div(lengths + STRIDE - 1, STRIDE, rounding_mode="floor")
        return x + self.positions[rows], lengths


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Sines, then cosines, of ``width // 2`` frequencies from 1 to 1/10000 per token."""
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
        heads: number of heads per block.
        units: number of units of the feed-forward layer.
        depth: number of blocks.
        positions: number of rows of the position table that are kept.
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
            TeacherError: the config has an activation that no published Whisper has.
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
    def hears(self) -> Hears:
        """See ``Student.hears``."""
        return Hears("whisper", {"n_mels": self.bins, "normalise": "none", "deltas": False})

    def full(self, blocks: int) -> Ranks:
        """The encoder's own ranks."""
        head = self.width // self.heads
        return Ranks(self.width, (head,) * blocks, (head,) * blocks, (self.units,) * blocks)

    def build(self, ranks: Ranks) -> Encoder:
        """A new encoder of these ranks with random weights."""
        blocks = [
            Block(
                Attention(self.width, self.heads, query, value),
                FeedForward(self.width, units),
                epsilon=1e-5,
            )
            for query, value, units in zip(ranks.query, ranks.value, ranks.units, strict=True)
        ]
        return Encoder(WhisperFront(self.bins, ranks.channels, self.width, self.positions), blocks)

    @torch.no_grad()
    def copy_weights(self, model: nn.Module, encoder: Encoder) -> None:
        """Copy the weights of transformers' ``WhisperEncoder`` into an encoder of full ranks."""
        source, front = cast("Any", model), cast("WhisperFront", encoder.front)
        front.filters.load_state_dict(source.conv1.state_dict())
        front.halve.load_state_dict(source.conv2.state_dict())
        front.positions.copy_(source.embed_positions.weight[: len(front.positions)])
        for block, layer in zip(encoder.blocks, source.layers, strict=False):
            copy_block(_parts(layer), cast("Block", block))


PUBLISHED: Mapping[str, WhisperSizes] = {
    f"openai/whisper-{name}{language}": WhisperSizes(80, width, heads, 4 * width, depth, LONGEST)
    for name, width, heads, depth in (
        ("tiny", 384, 6, 4),
        ("base", 512, 8, 6),
        ("small", 768, 12, 12),
        ("medium", 1024, 16, 24),
    )
    for language in ("", ".en")
}
"""Sizes by hub id (Radford et al., Table 1), so that a run can be planned, and a stored student
built again, without a network connection.
"""


def _parts(layer: Any) -> Parts:
    attention = layer.self_attn
    return Parts(
        query=attention.q_proj,
        key=attention.k_proj,
        value=attention.v_proj,
        output=attention.out_proj,
        expand=layer.fc1,
        contract=layer.fc2,
        norms=(layer.self_attn_layer_norm, layer.final_layer_norm),
    )
