"""Frozen speech encoders of transformers, which convert waveforms to hidden states
of chosen layers.

No embedding depends on other utterances in the batch: utterances are stacked only if they are
equally long, or if the model masks padding exactly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, TeacherFeatures
from serbench_teachers.quiet import quiet_transformers

WHISPER_STRIDE = 320
"""Samples per frame: a log-mel hop of 160, halved by the second convolution."""


class Extractor(Protocol):
    """A feature extractor of transformers."""

    def __call__(
        self,
        raw_speech: list[NDArray[np.float32]],
        *,
        sampling_rate: int,
        padding: str,
        return_tensors: str,
        return_attention_mask: bool | None = None,
    ) -> Mapping[str, Tensor]:
        """Model inputs by name."""
        ...


class WhisperConfig(Protocol):
    """The entries of Whisper's config that are read or set."""

    max_source_positions: int


class WaveformConfig(Protocol):
    """The entries of a raw-waveform encoder's config that are read."""

    conv_kernel: Sequence[int]
    conv_stride: Sequence[int]


class LoadedEncoder(Protocol):
    """A loaded encoder."""

    frame_rate_hz: float

    def hidden_states(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """For each waveform ``(samples,)`` its hidden states ``(L, F, D)``, real frames only."""
        ...


class LayerTap:
    """Keeps chosen hidden states while an encoder runs.

    Index 0 is the input of the first layer, k the output of layer k, and the last one is the
    model's ``last_hidden_state``, after any final normalisation (transformers' ``hidden_states``
    end before or after it, depending on its version). Layers above the highest one that is needed
    are removed: they cost time and change nothing.

    Args:
        model: whose ``forward`` returns ``last_hidden_state``.
        layers: its transformer layers; shortened in place.
        indices: indices of the hidden states to keep, ascending.
    """

    def __init__(self, model: nn.Module, layers: nn.ModuleList, indices: Sequence[int]) -> None:
        self._model = model
        self._indices = tuple(indices)
        self._depth = len(layers)
        self._kept: dict[int, Tensor] = {}
        del layers[max(self._indices[-1], 1) :]
        if 0 in self._indices:
            layers[0].register_forward_pre_hook(self._keep_input)
        for index in self._indices:
            if 0 < index < self._depth:
                layers[index - 1].register_forward_hook(self._keeper(index))

    def __call__(self, *inputs: Tensor, **options: Tensor | None) -> Tensor:
        """Run the model, and return ``(L, N, F, D)``."""
        self._kept.clear()
        last = self._model(*inputs, **options).last_hidden_state
        if self._indices[-1] == self._depth:
            self._kept[self._depth] = last
        return torch.stack([self._kept[index] for index in self._indices])

    def _keep_input(self, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # A clone, because the first layer of some models changes its input in place.
        self._kept[0] = inputs[0].clone()

    def _keeper(self, index: int) -> Callable[[nn.Module, object, Tensor | tuple[Tensor]], None]:
        def keep(_layer: nn.Module, _inputs: object, output: Tensor | tuple[Tensor]) -> None:
            self._kept[index] = output[0] if isinstance(output, tuple) else output

        return keep


class WhisperEncoderRunner:
    """Whisper's encoder without its 30 s padding.

    Only the log-mel frames of the utterance are encoded, with the position table cut to their
    number. An utterance that is longer than the table is encoded in equal pieces.
    """

    frame_rate_hz = SAMPLE_RATE_HZ / WHISPER_STRIDE

    def __init__(
        self,
        encoder: nn.Module,
        extractor: Extractor,
        indices: Sequence[int],
    ) -> None:
        self._encoder = encoder
        self._extractor = extractor
        self._config = cast("WhisperConfig", encoder.config)
        self._positions = cast("nn.Embedding", encoder.embed_positions).weight.detach()
        self._tap = LayerTap(encoder, cast("nn.ModuleList", encoder.layers), indices)

    def hidden_states(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """See ``LoadedEncoder``. A last half frame (less than 20 ms) is left out."""
        pieces = [self._pieces(waveform) for waveform in waveforms]
        flat = [piece for utterance in pieces for piece in utterance]
        encoded = iter(run_by_length(flat, self._run))
        return [torch.cat([next(encoded) for _ in utterance], dim=1) for utterance in pieces]

    def _pieces(self, waveform: Tensor) -> list[Tensor]:
        longest = len(self._positions) * WHISPER_STRIDE
        count = math.ceil(len(waveform) / longest)
        size = math.ceil(len(waveform) / count / WHISPER_STRIDE) * WHISPER_STRIDE
        return list(waveform.split(size))

    def _run(self, waveforms: Sequence[NDArray[np.float32]]) -> Tensor:
        """Run waveforms of equal length; returns ``(L, N, F, D)``."""
        samples = len(waveforms[0])
        mel = self._extractor(
            list(waveforms), sampling_rate=SAMPLE_RATE_HZ, padding="longest", return_tensors="pt"
        )["input_features"]  # (N, mel bins, samples // 160)
        frames = samples // WHISPER_STRIDE
        self._config.max_source_positions = frames
        self._encoder.embed_positions = nn.Embedding.from_pretrained(self._positions[:frames])
        first = next(self._encoder.parameters())
        return self._tap(mel[..., : 2 * frames].to(first.device, first.dtype))


class WaveformEncoderRunner:
    """Runs wav2vec 2.0, HuBERT, WavLM and data2vec-audio, whose input is raw waveforms.

    Padding is masked exactly by models that normalise each frame alone
    (``feat_extract_norm == "layer"``), but not by those with a group norm over time, nor by
    data2vec-audio, whose stacked position convolutions carry padding into real frames; these
    receive only utterances of equal length at the same time.
    """

    def __init__(
        self,
        model: nn.Module,
        extractor: Extractor,
        indices: Sequence[int],
    ) -> None:
        self._config = cast("WaveformConfig", model.config)
        self._model = model
        self._extractor = extractor
        # data2vec-audio's config has no such entry
        self._masks = getattr(model.config, "feat_extract_norm", None) == "layer"
        layers = cast("nn.ModuleList", cast("nn.Module", model.encoder).layers)
        self._tap = LayerTap(model, layers, indices)
        self.frame_rate_hz = SAMPLE_RATE_HZ / math.prod(self._config.conv_stride)

    def hidden_states(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """See ``LoadedEncoder``."""
        if not self._masks:
            return run_by_length(waveforms, self._run)
        states = self._run([waveform.numpy() for waveform in waveforms])
        return [states[:, n, : self._frames(len(w))] for n, w in enumerate(waveforms)]

    def _run(self, waveforms: Sequence[NDArray[np.float32]]) -> Tensor:
        """Run waveforms, padded to the longest; returns ``(L, N, F, D)``."""
        batch = self._extractor(
            list(waveforms),
            sampling_rate=SAMPLE_RATE_HZ,
            padding="longest",
            return_attention_mask=True,
            return_tensors="pt",
        )
        first = next(self._model.parameters())
        padded = len({len(waveform) for waveform in waveforms}) > 1
        mask = batch["attention_mask"].to(first.device) if padded else None
        return self._tap(batch["input_values"].to(first.device, first.dtype), attention_mask=mask)

    def _frames(self, samples: int) -> int:
        """Number of frames that are completely within ``samples``, by the convolutions'
        kernels and strides.
        """
        kernels, strides = self._config.conv_kernel, self._config.conv_stride
        for kernel, stride in zip(kernels, strides, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples


def run_by_length(
    waveforms: Sequence[Tensor], run: Callable[[Sequence[NDArray[np.float32]]], Tensor]
) -> list[Tensor]:
    """Run waveforms of equal length together; returns ``(L, F, D)`` of each, in their order."""
    same: dict[int, list[int]] = defaultdict(list)
    for position, waveform in enumerate(waveforms):
        same[len(waveform)].append(position)
    states: dict[int, Tensor] = {}
    for positions in same.values():
        stacked = run([waveforms[position].numpy() for position in positions])
        states.update({position: stacked[:, n] for n, position in enumerate(positions)})
    return [states[position] for position in range(len(waveforms))]


@torch.inference_mode()
def pooled_states(encoder: LoadedEncoder, waveforms: Sequence[Tensor]) -> list[TeacherFeatures]:
    """Pooled states ``(L, 2 D)`` and frames ``(L, F, D)`` of each of the waveforms
    ``(samples,)``.
    """
    with quiet_transformers():
        return [_pool(states.float()) for states in encoder.hidden_states(waveforms)]


def _pool(states: Tensor) -> TeacherFeatures:
    """Features with mean and standard deviation over the frames of ``states (L, F, D)``."""
    deviation, mean = torch.std_mean(states, dim=1, correction=0)
    return TeacherFeatures(pooled=torch.cat([mean, deviation], dim=-1).cpu(), frames=states.cpu())
