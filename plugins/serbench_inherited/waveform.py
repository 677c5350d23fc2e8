"""Encoders whose input is samples: wav2vec 2.0, HuBERT, WavLM and data2vec-audio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ, Hears, TeacherError, read_json
from serbench_inherited.budget import Ranks
from serbench_inherited.folding import Parts, copy_block, folded, set_weights
from serbench_inherited.network import (
    Attention,
    Block,
    Encoder,
    FeedForward,
    RelativeBias,
    frame_mask,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from transformers import PretrainedConfig

Norm = Literal["none", "layer", "time"]
SILENCE = 1e-7
"""Value added to the variance of a window's samples, as in transformers."""


class Convolution(nn.Module):
    """A convolution of the feature extractor without padding, followed by its norm and GELU.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: width of the kernel.
        stride: step of the convolution.
        norm: normalisation over each frame's channels (``layer``), over a channel's frames
            (``time``), or none.
        bias: whether the convolution has one.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, norm: Norm, *, bias: bool
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.kind = kernel, stride, norm
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, bias=bias)
        self.norm = nn.Identity() if norm == "none" else nn.LayerNorm(outputs)

    def forward(
        self, x: Float[Tensor, "N c s"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N out s2"], Int[Tensor, " N"]]:
        """The output, which has fewer frames, and how many of them are real: at least one."""
        x = self.conv(x)
        lengths = torch.div(lengths - self.kernel, self.stride, rounding_mode="floor") + 1
        lengths = lengths.clamp_min(1)
        if self.kind == "layer":
            x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        elif self.kind == "time":
            x = over_time(x, lengths, cast("nn.LayerNorm", self.norm))
        return F.gelu(x), lengths


def over_time(
    x: Float[Tensor, "N c s"], lengths: Int[Tensor, " N"], norm: nn.LayerNorm
) -> Float[Tensor, "N c s"]:
    """Normalise each channel over its real frames, then apply gain and bias of ``norm``.

    In torch, it is a group norm with one channel per group, but padding is ignored here.
    """
    real = frame_mask(lengths, x.shape[2])[:, None].to(x.dtype)
    count = lengths[:, None, None].to(x.dtype)
    mean = (x * real).sum(dim=2, keepdim=True) / count
    variance = ((x - mean).square() * real).sum(dim=2, keepdim=True) / count
    x = (x - mean) * (variance + norm.eps).rsqrt()
    return x * norm.weight[:, None] + norm.bias[:, None]


class Positions(nn.Module):
    """Grouped convolutions over time that encode the position of frames.

    Args:
        width: D.
        kernel: width of each convolution, in frames.
        groups: number of groups of channels.
        layers: number of convolutions, one after another.
        normed: whether each convolution has a norm without gain before its GELU.
    """

    def __init__(self, width: int, kernel: int, groups: int, layers: int, *, normed: bool) -> None:
        super().__init__()
        self.surplus = 1 - kernel % 2  # number of additional frames that an even kernel gives
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False) if normed else nn.Identity()

    def forward(
        self, x: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N w D"]:
        """Position of frames; ``x`` is 0 beyond the real frames, and so is the output."""
        for conv in self.convs:
            y = conv(x.transpose(1, 2))
            y = y[..., : -self.surplus] if self.surplus else y
            x = F.gelu(self.norm(y.transpose(1, 2))).masked_fill(~mask[..., None], 0.0)
        return x


@dataclass(frozen=True, slots=True)
class WaveformSizes:
    """Sizes and kinds of a waveform encoder.

    Attributes:
        width: D.
        heads: number of heads per block.
        units: number of units of the feed-forward layer.
        depth: number of blocks.
        channels, kernels, strides: sizes of the feature extractor's convolutions.
        norm: norm of these convolutions; ``time``: after the first only; ``layer``: after each.
        conv_bias: whether these convolutions have a bias.
        projection_norm: whether their output is normalised.
        positions: kernel, groups and layers of the position convolutions.
        positions_normed: whether the position convolutions have norms.
        post_norm: whether blocks are post-norm; else they are pre-norm.
        buckets: number of buckets of the relative position bias, and its farthest distance; None:
            the encoder has no such bias.
        epsilon: epsilon of the norms.
        normalise: whether a window's samples are brought to mean 0 and variance 1.
    """

    width: int
    heads: int
    units: int
    depth: int
    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    norm: Norm
    conv_bias: bool
    projection_norm: bool
    positions: tuple[int, int, int]
    positions_normed: bool
    post_norm: bool
    buckets: tuple[int, int] | None
    epsilon: float
    normalise: bool

    @classmethod
    def of(cls, config: PretrainedConfig, preprocessor: Path) -> WaveformSizes:
        """
        Raises:
            TeacherError: the config is of a variant that cannot be inherited.
        """
        kind = config.model_type
        if (config.hidden_act, config.feat_extract_activation) != ("gelu", "gelu"):
            raise TeacherError(f"a {kind} with other activations than gelu cannot be inherited")
        if getattr(config, "adapter_attn_dim", None) or getattr(
            config, "conv_pos_batch_norm", False
        ):
            raise TeacherError(
                f"a {kind} with adapters or with a batch norm of positions cannot be inherited"
            )
        stacked = kind == "data2vec-audio"
        by_frame = stacked or config.feat_extract_norm == "layer"
        kernel = config.conv_pos_kernel_size if stacked else config.num_conv_pos_embeddings
        layers = config.num_conv_pos_embeddings if stacked else 1
        relative = (config.num_buckets, config.max_bucket_distance) if kind == "wavlm" else None
        return cls(
            width=config.hidden_size,
            heads=config.num_attention_heads,
            units=config.intermediate_size,
            depth=config.num_hidden_layers,
            channels=tuple(config.conv_dim),
            kernels=tuple(config.conv_kernel),
            strides=tuple(config.conv_stride),
            norm="layer" if by_frame else "time",
            conv_bias=config.conv_bias,
            projection_norm=getattr(config, "feat_proj_layer_norm", True),
            positions=(kernel, config.num_conv_pos_embedding_groups, layers),
            positions_normed=stacked,
            post_norm=not getattr(config, "do_stable_layer_norm", False),
            buckets=relative,
            epsilon=config.layer_norm_eps,
            normalise=_normalises(preprocessor),
        )

    @property
    def bins(self) -> int:
        """Number of samples of a frame, which is the step of all convolutions together."""
        return math.prod(self.strides)

    @property
    def hears(self) -> Hears:
        """See ``Student.hears``."""
        return Hears("waveform", {"hop_s": self.bins / SAMPLE_RATE_HZ})

    def full(self, blocks: int) -> Ranks:
        """The encoder's own ranks; its convolutions are kept whole."""
        head = self.width // self.heads
        return Ranks(0, (head,) * blocks, (head,) * blocks, (self.units,) * blocks)

    def build(self, ranks: Ranks) -> Encoder:
        """A new encoder of these ranks with random weights."""
        gated = self.buckets is not None
        blocks = [
            Block(
                Attention(self.width, self.heads, query, value, gated=gated),
                FeedForward(self.width, units),
                self.epsilon,
                post_norm=self.post_norm,
            )
            for query, value, units in zip(ranks.query, ranks.value, ranks.units, strict=True)
        ]
        relative = None if self.buckets is None else RelativeBias(*self.buckets, self.heads)
        return Encoder(WaveformFront(self), blocks, relative)

    @torch.no_grad()
    def copy_weights(self, model: nn.Module, encoder: Encoder) -> None:
        """Copy the weights of transformers' model into an encoder of full ranks."""
        source, front = cast("Any", model), cast("WaveformFront", encoder.front)
        for conv, layer in zip(front.convs, source.feature_extractor.conv_layers, strict=True):
            _copy_convolution(layer, cast("Convolution", conv))
        projection = source.feature_projection
        norm = projection.layer_norm if self.projection_norm else None
        set_weights(front.project, *folded(projection.projection, norm))
        stack = source.encoder.pos_conv_embed
        stacked = stack.layers if self.positions_normed else [stack]
        for conv, layer in zip(front.positions.convs, stacked, strict=True):
            set_weights(cast("nn.Conv1d", conv), layer.conv.weight, layer.conv.bias)
        if self.post_norm:
            front.after.load_state_dict(source.encoder.layer_norm.state_dict())
        for block, layer in zip(encoder.blocks, source.encoder.layers, strict=False):
            copy_block(_parts(layer), cast("Block", block))
            self._copy_gate(layer, cast("Block", block))
        if encoder.relative is not None:
            embedding = source.encoder.layers[0].attention.rel_attn_embed
            encoder.relative.embed.load_state_dict(embedding.state_dict())

    def _copy_gate(self, layer: Any, block: Block) -> None:
        """Copy the gate. Its input is that of the attention, so a folded norm is folded
        into it too.

        Each of its two values is the sum of four outputs of its linear layer.
        """
        gate = block.attention.gate
        if gate is None:
            return
        linear = layer.attention.gru_rel_pos_linear
        weight = linear.weight.double().unflatten(0, (2, 4)).sum(dim=1)  # (2, D/heads)
        bias = linear.bias.double().unflatten(0, (2, 4)).sum(dim=1)  # (2,)
        gain, shift = torch.ones(self.width), torch.zeros(self.width)
        if not self.post_norm:
            gain, shift = layer.layer_norm.weight, layer.layer_norm.bias
        own = (self.heads, -1, 1)
        gate.weight.copy_(weight.T * gain.double().view(own))
        gate.bias.copy_(bias + (weight.T * shift.double().view(own)).sum(dim=1, keepdim=True))
        gate.constant.copy_(layer.attention.gru_rel_pos_const[0])


def _normalises(preprocessor: Path) -> bool:
    try:
        return bool(read_json(preprocessor.read_bytes()).get("do_normalize", True))  # pyright: ignore[reportAttributeAccessIssue]
    except (OSError, ValueError, AttributeError) as error:
        raise TeacherError(f"{preprocessor} is missing or damaged: copy it again") from error


def _copy_convolution(layer: Any, conv: Convolution) -> None:
    conv.conv.load_state_dict(layer.conv.state_dict())
    if conv.kind != "none":
        conv.norm.load_state_dict(layer.layer_norm.state_dict())


def _parts(layer: Any) -> Parts:
    attention, feed = layer.attention, layer.feed_forward
    return Parts(
        query=attention.q_proj,
        key=attention.k_proj,
        value=attention.v_proj,
        output=attention.out_proj,
        expand=feed.intermediate_dense,
        contract=feed.output_dense,
        norms=(layer.layer_norm, layer.final_layer_norm),
    )


class WaveformFront(nn.Module):
    """Converts frames of samples to tokens: convolutions, a projection, positions."""

    def __init__(self, sizes: WaveformSizes) -> None:
        super().__init__()
        self.sizes = sizes
        inputs = (1, *sizes.channels[:-1])
        later: Norm = "layer" if sizes.norm == "layer" else "none"
        norms: tuple[Norm, ...] = (sizes.norm, *(later for _ in sizes.channels[1:]))
        self.convs = nn.ModuleList(
            Convolution(*each, bias=sizes.conv_bias)
            for each in zip(
                inputs, sizes.channels, sizes.kernels, sizes.strides, norms, strict=True
            )
        )
        self.norm = (
            nn.LayerNorm(sizes.channels[-1], sizes.epsilon, elementwise_affine=False)
            if sizes.projection_norm
            else nn.Identity()
        )
        self.project = nn.Linear(sizes.channels[-1], sizes.width)
        self.positions = Positions(sizes.width, *sizes.positions, normed=sizes.positions_normed)
        self.after = nn.LayerNorm(sizes.width, sizes.epsilon) if sizes.post_norm else nn.Identity()
        self.span = 1  # number of samples that a token depends on
        for kernel, stride in zip(reversed(sizes.kernels), reversed(sizes.strides), strict=True):
            self.span = (self.span - 1) * stride + kernel

    def samples(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N s"], Int[Tensor, " N"]]:
        """The encoder's input, 0 beyond the real samples, and the number of real samples."""
        x = features[:, 0].transpose(1, 2).flatten(1)
        lengths = lengths * self.sizes.bins
        padding = ~frame_mask(lengths, x.shape[1])
        x = x.masked_fill(padding, 0.0)
        if not self.sizes.normalise:
            return x, lengths
        count = lengths[:, None].clamp_min(1).to(x.dtype)
        x = (x - x.sum(dim=1, keepdim=True) / count).masked_fill(padding, 0.0)
        variance = x.square().sum(dim=1, keepdim=True) / count
        return x * (variance + SILENCE).rsqrt(), lengths

    def forward(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N w D"], Int[Tensor, " N"]]:
        """Tokens and how many of them are real."""
        x, lengths = self.samples(features, lengths)
        # An exported graph must not depend on the number of frames, so there it always pads.
        if torch.compiler.is_compiling() or x.shape[1] < self.span:
            x = F.pad(x, (0, max(0, self.span - self.sizes.bins)))
        x = x[:, None]
        for conv in self.convs:
            x, lengths = conv(x, lengths)
        x = self.project(self.norm(x.transpose(1, 2)))
        mask = frame_mask(lengths, x.shape[1])
        x = x.masked_fill(~mask[..., None], 0.0)
        return self.after(x + self.positions(x, mask)), lengths
