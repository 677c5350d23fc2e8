"""Whole speech encoders of transformers that can be trained and ignore padding.

A padded window gives the same states as the window without padding: transformers' own modules are
run one after the other, and everything after the real frames is set to 0 before it can affect them.
"""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import PluginError, TeacherError, read_json
from serbench_baselines.networks.masked import frame_mask, halved
from serbench_teachers.loading import depth, load_model, read_config
from serbench_teachers.quiet import quiet_transformers
from serbench_teachers.weights import PREPROCESSOR, Checkpoint, find_config

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

TRAINED = ("hubert", "wav2vec2", "wavlm", "whisper")
SILENCE = 1e-7
"""Added to the variance of a window's samples, as in transformers."""
RANGE = 2.0
"""Whisper's input is clipped at this (8 powers of ten, divided by 4) below its greatest value."""
FAR_BELOW = -3e4


class SpanMasks:
    """SpecAugment's masks as in the fine-tuning of wav2vec 2.0 (Baevski et al., NeurIPS 2020).

    Args:
        time, feature: share that is masked, and the width of a mask. Masks may overlap, so that
            the mean share is at most this.
    """

    def __init__(self, time: tuple[float, int], feature: tuple[float, int]) -> None:
        self.time, self.feature = time, feature

    def over_time(self, lengths: Int[Tensor, " N"], frames: int) -> Bool[Tensor, "N frames"]:
        """True on frames that are masked."""
        return spans(lengths, frames, *self.time)

    def over_features(self, like: Float[Tensor, "N frames d"]) -> Bool[Tensor, "N 1 d"]:
        """True on values that are masked in all frames."""
        width = torch.full((len(like),), like.shape[2], device=like.device)
        return spans(width, like.shape[2], *self.feature)[:, None]


def spans(
    lengths: Int[Tensor, " N"], size: int, share: float, width: int
) -> Bool[Tensor, "N size"]:
    """Random spans of ``width`` places within the first ``lengths`` of ``size`` places.

    There are ``share · length / width`` spans on average, and none if a span does not fit.
    """
    most = math.floor(share * size / width) + 1
    wanted = share * lengths / width + torch.rand(len(lengths), device=lengths.device)
    wanted = torch.where(lengths < width, 0, wanted.floor())  # (N,)
    room = (lengths - width + 1).clamp_min(1)
    first = (torch.rand(len(lengths), most, device=lengths.device) * room[:, None]).floor()
    at = torch.arange(size, device=lengths.device)
    inside = (at >= first[..., None]) & (at < first[..., None] + width)  # (N, most, size)
    drawn = torch.arange(most, device=lengths.device) < wanted[:, None]
    return (inside & drawn[..., None]).any(dim=1)


class WaveformEncoder(nn.Module):
    """wav2vec 2.0, HuBERT or WavLM; computes hidden states from frames of samples.

    Args:
        config: config of transformers.
        masks: masks in training.
        normalise: whether a window's samples are scaled to mean 0 and variance 1.
        freeze: whether the convolutions and the projection of their output are frozen.
    """

    def __init__(self, config: Any, masks: SpanMasks, *, normalise: bool, freeze: bool) -> None:
        super().__init__()
        self.model: Any = transformers.AutoModel.from_config(config, dtype=torch.float32)
        self.masks, self.normalise = masks, normalise
        self.hop, self.width = math.prod(config.conv_stride), config.hidden_size
        self.span = 1  # samples that a frame depends on
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            self.span = (self.span - 1) * stride + kernel
        if hasattr(self.model, "masked_spec_embed"):
            self.model.masked_spec_embed.requires_grad_(requires_grad=False)
        if freeze:
            self.model.feature_extractor.requires_grad_(requires_grad=False)
            self.model.feature_projection.requires_grad_(requires_grad=False)

    def samples(
        self, features: Float[Tensor, "N 1 hop frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N s"], Int[Tensor, " N"]]:
        """The encoder's input waveform, with 0 after the real samples, and their number."""
        x = features[:, 0].transpose(1, 2).flatten(1)
        lengths = lengths * self.hop
        padding = ~frame_mask(lengths, x.shape[1])
        x = x.masked_fill(padding, 0.0)
        if self.normalise:
            count = lengths[:, None].to(x.dtype)
            x = (x - x.sum(dim=1, keepdim=True) / count).masked_fill(padding, 0.0)
            x = x * (x.square().sum(dim=1, keepdim=True) / count + SILENCE).rsqrt()
        return F.pad(x, (0, max(0, self.span - x.shape[1]))), lengths

    def forward(
        self, features: Float[Tensor, "N 1 hop frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N w D"], Int[Tensor, " N"]]:
        """The last layer's states, and how many of them are real."""
        x, lengths = self.samples(features, lengths)
        x = x[:, None]
        for layer in self.model.feature_extractor.conv_layers:
            lengths = torch.div(lengths - layer.conv.kernel_size[0], layer.conv.stride[0],
                                rounding_mode="floor").clamp_min(0) + 1  # fmt: skip
            x = convolved(layer, x, lengths)
        x = self.model.feature_projection(x.transpose(1, 2))
        x = x[0] if isinstance(x, tuple) else x
        mask = frame_mask(lengths, x.shape[1])
        if self.training:
            hidden = self.masks.over_time(lengths, x.shape[1])[..., None]
            blank = getattr(self.model, "masked_spec_embed", x.new_zeros(self.width))
            x = torch.where(hidden, blank.to(x.dtype), x)
            x = x.masked_fill(self.masks.over_features(x), 0.0)
        x = x.masked_fill(~mask[..., None], 0.0)
        # WavLM mixes two kinds of masks, and torch warns about this at each call.
        with quiet_transformers() if self.model.config.model_type == "wavlm" else nullcontext():
            return self.model.encoder(x, attention_mask=mask).last_hidden_state, lengths


def convolved(
    layer: Any, x: Float[Tensor, "N c s"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N out s2"]:
    """One layer of the feature extractor; a norm over time uses only the real frames."""
    norm = getattr(layer, "layer_norm", None)
    if not isinstance(norm, nn.GroupNorm):
        return layer(x)
    x = layer.conv(x)
    real = frame_mask(lengths, x.shape[2])[:, None]
    count = lengths[:, None, None].to(x.dtype)
    mean = x.masked_fill(~real, 0.0).sum(dim=2, keepdim=True) / count
    variance = (x - mean).masked_fill(~real, 0.0).square().sum(dim=2, keepdim=True) / count
    x = (x - mean) * (variance + norm.eps).rsqrt()
    return layer.activation(x * norm.weight[:, None] + norm.bias[:, None])


class WhisperEncoder(nn.Module):
    """Whisper's encoder without its padding to 30 s; computes hidden states from log-mel frames.

    Args:
        config: config of transformers.
        masks: masks of the log-mel in training.
        freeze: whether the two convolutions are frozen.
    """

    def __init__(self, config: Any, masks: SpanMasks, *, freeze: bool) -> None:
        super().__init__()
        from transformers.models.whisper import modeling_whisper

        self.model: Any = modeling_whisper.WhisperEncoder(config)
        self.masks, self.width = masks, config.d_model
        if freeze:
            self.model.conv1.requires_grad_(requires_grad=False)
            self.model.conv2.requires_grad_(requires_grad=False)

    def forward(
        self, features: Float[Tensor, "N 1 mels frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N w D"], Int[Tensor, " N"]]:
        """The last layer's states, and how many of them are real.

        Raises:
            PluginError: windows are longer than Whisper's table of positions.
        """
        model, x = self.model, features[:, 0]
        padding = ~frame_mask(lengths, x.shape[2])[:, None]  # (N, 1, frames)
        loudest = x.masked_fill(padding, FAR_BELOW).amax(dim=(1, 2), keepdim=True)
        x = torch.maximum(x, loudest - RANGE)
        if self.training:
            x = x.masked_fill(self.masks.over_time(lengths, x.shape[2])[:, None], 0.0)
            x = x.masked_fill(self.masks.over_features(x.transpose(1, 2)).transpose(1, 2), 0.0)
        x = F.gelu(model.conv1(x.masked_fill(padding, 0.0))).masked_fill(padding, 0.0)
        x = F.gelu(model.conv2(x)).transpose(1, 2)
        longest = model.embed_positions.num_embeddings
        if x.shape[1] > longest:
            raise PluginError(
                f"Whisper accepts at most {longest / 50:g} s at once; set segments.window_s to less"
            )
        lengths = halved(lengths)
        mask = frame_mask(lengths, x.shape[1])
        x = x + model.embed_positions.weight[: x.shape[1]]
        x = F.dropout(x, model.dropout, self.training)
        for layer in model.layers:
            x = layer(x, mask[:, None, None, :])
        return model.layer_norm(x), lengths


def config_of(model: str, layers: int | None) -> Any:
    """The config of an encoder with only its first ``layers``, and without layer dropout.

    Raises:
        TeacherError: there is no config, it is of an encoder that cannot be trained here, or the
            encoder has fewer layers.
    """
    config: Any = copy.deepcopy(read_config(find_config(model)))
    if config.model_type not in TRAINED:
        raise TeacherError(
            f"{model} is a {config.model_type}, but encoder-finetune trains {', '.join(TRAINED)}"
        )
    if layers is not None and layers > depth(config):
        raise TeacherError(
            f"{model} has {depth(config)} layers, but student.layers is {layers}; use fewer"
        )
    kept = depth(config) if layers is None else layers
    if config.model_type == "whisper":
        config.encoder_layers = kept
        config._attn_implementation = "sdpa"  # "sdpa" accepts Boolean masks
    else:
        config.num_hidden_layers, config.layerdrop = kept, 0.0
    return config


def build_encoder(
    model: str, layers: int | None, masks: SpanMasks, *, freeze: bool
) -> WaveformEncoder | WhisperEncoder:
    """An encoder with new weights.

    Raises:
        TeacherError: as ``config_of``.
    """
    config = config_of(model, layers)
    with quiet_transformers():
        if config.model_type == "whisper":
            return WhisperEncoder(config, masks, freeze=freeze)
        return WaveformEncoder(config, masks, normalise=_normalises(model), freeze=freeze)


def _normalises(model: str) -> bool:
    path = find_config(model) / PREPROCESSOR
    try:
        return bool(read_json(path.read_bytes()).get("do_normalize", True))  # pyright: ignore[reportAttributeAccessIssue]
    except (OSError, ValueError, AttributeError) as error:
        raise TeacherError(f"{path} is missing or damaged: copy it again") from error


@torch.no_grad()
def load_weights(checkpoint: Checkpoint, encoder: WaveformEncoder | WhisperEncoder) -> None:
    """Load a checkpoint's weights into an encoder, in place.

    Raises:
        TeacherError: files are damaged or incomplete.
    """
    with torch.random.fork_rng(devices=[]):
        source, _ = load_model(checkpoint)
    weights = source.state_dict()
    encoder.model.load_state_dict({name: weights[name] for name in encoder.model.state_dict()})
