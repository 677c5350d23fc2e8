"""The network of ``transformer``; see ``serbench_baselines.transformer``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from serbench_baselines.transformer import TransformerParams


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and perceptron."""

    def __init__(self, params: TransformerParams) -> None:
        super().__init__()
        dim = params.dim
        self.heads = params.heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, params.expansion * dim),
            nn.GELU(),
            nn.Linear(params.expansion * dim, dim),
        )
        self.dropout = nn.Dropout(params.dropout)

    def forward(
        self, x: Float[Tensor, "N tokens d"], mask: Bool[Tensor, "N tokens"]
    ) -> Float[Tensor, "N tokens d"]:
        """``mask`` is True on real tokens."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, tokens, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (N, heads, tokens, d/heads) each
        scores = query @ key.transpose(-2, -1) * (dim // self.heads) ** -0.5
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        attended = scores.softmax(dim=-1).to(value.dtype) @ value
        attended = attended.transpose(1, 2).reshape(batch, tokens, dim)
        x = x + self.dropout(self.out(attended))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class TransformerNetwork(nn.Module):
    """See ``serbench_baselines.transformer``; made by ``Transformer.build``."""

    def __init__(self, params: TransformerParams, shape: StudentShape) -> None:
        super().__init__()
        self.patch_frames = params.patch_frames
        self.dim = params.dim
        self.embed = nn.Linear(shape.channels * shape.n_mels * params.patch_frames, params.dim)
        self.layers = nn.ModuleList(EncoderLayer(params) for _ in range(params.layers))
        self.norm = nn.LayerNorm(params.dim)
        self.scale = nn.BatchNorm1d(params.dim)
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.dim, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        patch = self.patch_frames
        at = torch.arange(features.shape[-1], device=features.device)
        real = (at[None, :] < lengths[:, None])[:, None, None, :]
        features = features * real.to(features.dtype)  # padding may have any values
        x = F.pad(features, (0, -features.shape[-1] % patch)).flatten(1, 2)  # (N, 3*mels, frames)
        x = x.unfold(2, patch, patch).permute(0, 2, 1, 3).flatten(2)  # (N, tokens, 3*mels*patch)
        tokens = torch.div(lengths + patch - 1, patch, rounding_mode="floor")
        mask = torch.arange(x.shape[1], device=x.device)[None, :] < tokens[:, None]
        x = self.embed(x)
        x = self.dropout(x + sinusoids(x.shape[1], self.dim, x.device).to(x.dtype))
        maps = []
        for layer in self.layers:
            x = layer(x, mask)
            maps.append(x.transpose(1, 2)[:, :, None, :])  # (N, d, 1, tokens)
        x = self.norm(x).float() * mask[..., None]
        embedding = self.scale(x.sum(dim=1) / mask.sum(dim=1, keepdim=True))
        last_map = x.transpose(1, 2)[:, :, None, :]
        return StudentOutput(
            logits=self.classify(self.dropout(embedding)),
            embedding=embedding,
            maps=tuple(maps),
            masks=(mask,) * len(maps),
            last_map=last_map,
            last_mask=mask,
        )


def sinusoids(tokens: int, dim: int, device: torch.device) -> Float[Tensor, "tokens dim"]:
    """Sine and cosine position codes (Vaswani et al., 2017, section 3.5)."""
    half = (dim + 1) // 2
    rates = torch.exp(torch.arange(half, device=device) * (-math.log(10_000.0) / max(1, half)))
    angles = torch.arange(tokens, device=device)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :dim]
