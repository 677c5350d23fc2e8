"""The front end ``encoder-frames`` as a module; see ``serbench_front_ends.encoder_frames``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench_teachers.weights import Checkpoint

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.encoder_frames import EncoderFrames


class FrozenEncoder(nn.Module):
    """A module from ``(*N, samples)`` to ``(*N, frames, L · D)``, float32."""

    def __init__(self, checkpoint: Checkpoint, front_end: EncoderFrames) -> None:
        from serbench_teachers.encoders import WaveformEncoderRunner, WhisperEncoderRunner
        from serbench_teachers.loading import load_model, read_config

        super().__init__()
        self.shortest = front_end.framing.window
        self.model, extractor = load_model(checkpoint)
        whisper = read_config(checkpoint.folder).model_type == "whisper"
        runner = WhisperEncoderRunner if whisper else WaveformEncoderRunner
        self.runner = runner(self.model, extractor, front_end.indices)
        dtype = torch.bfloat16 if front_end.params.precision == "bf16" else torch.float32
        self.model.requires_grad_(requires_grad=False).eval().to(dtype)

    @torch.no_grad()
    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames d"]:
        """Hidden states of waveforms; zeros are added if a waveform is shorter than a frame."""
        from serbench_teachers.quiet import quiet_transformers

        missing = max(0, self.shortest - waveforms.shape[-1])
        filled = nn.functional.pad(waveforms.detach().cpu(), (0, missing))
        rows = filled.reshape(-1, filled.shape[-1])
        with quiet_transformers():
            states = torch.stack(self.runner.hidden_states(list(rows)))  # (N, L, F, D)
        frames = states.float().transpose(1, 2).flatten(2)
        return frames.reshape(*waveforms.shape[:-1], *frames.shape[1:])
