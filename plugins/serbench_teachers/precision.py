"""Chooses the floating-point format in which an encoder runs."""

from __future__ import annotations

from typing import Literal

import torch


def choose_precision(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """The data type for a precision; ``auto`` is bf16 on a GPU or CPU that computes in it.

    On a CPU with AVX512-BF16 (one thread), wav2vec 2.0 is three times as fast with bf16, and
    Whisper-base on short utterances about as fast as with fp32. The pooled embeddings of EmoDB
    change by 0.3 %.
    """
    if wanted == "auto":
        return torch.bfloat16 if computes_bf16(device) else torch.float32
    return torch.bfloat16 if wanted == "bf16" else torch.float32


def computes_bf16(device: torch.device) -> bool:
    """Whether the hardware itself computes in bf16, so that it saves time."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
