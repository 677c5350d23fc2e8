"""What is published about common encoders.

A card's facts hold for a hub id. A local folder may hold anything, a fine-tuned copy included, so
its licence and its training corpora are unknown unless the user declares them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from serbench.api import TeacherCard

LIBRISPEECH = ("LibriSpeech",)
LIBRI_LIGHT = ("Libri-Light",)
WAVLM_94K = ("Libri-Light", "GigaSpeech", "VoxPopuli")
UNDISCLOSED_WEB = ("undisclosed web audio",)

_APACHE, _MIT, _CC_BY_SA = "Apache-2.0", "MIT", "CC BY-SA 3.0"

_WAV2VEC2 = (
    "Baevski et al., wav2vec 2.0: A framework for self-supervised learning of speech "
    "representations, NeurIPS 2020"
)
_XLSR = (
    "Conneau et al., Unsupervised cross-lingual representation learning for speech recognition, "
    "Interspeech 2021"
)
_HUBERT = (
    "Hsu et al., HuBERT: Self-supervised speech representation learning by masked prediction of "
    "hidden units, IEEE/ACM TASLP 29, 2021"
)
_WAVLM = (
    "Chen et al., WavLM: Large-scale self-supervised pre-training for full stack speech "
    "processing, IEEE JSTSP 16(6), 2022"
)
_DATA2VEC = (
    "Baevski et al., data2vec: A general framework for self-supervised learning in speech, vision "
    "and language, ICML 2022"
)
_WHISPER = "Radford et al., Robust speech recognition via large-scale weak supervision, ICML 2023"


def _card(model: str, title: str, licence: str, citation: str, *corpora: str) -> TeacherCard:
    return TeacherCard(title, licence, f"https://huggingface.co/{model}", citation, corpora)


_FACTS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("facebook/wav2vec2-base", "wav2vec 2.0 Base", _APACHE, _WAV2VEC2, LIBRISPEECH),
    ("facebook/wav2vec2-base-960h", "wav2vec 2.0 Base ASR", _APACHE, _WAV2VEC2, LIBRISPEECH),
    ("facebook/wav2vec2-large", "wav2vec 2.0 Large", _APACHE, _WAV2VEC2, LIBRISPEECH),
    ("facebook/wav2vec2-large-lv60", "wav2vec 2.0 Large LV-60", _APACHE, _WAV2VEC2, LIBRI_LIGHT),
    (
        "facebook/wav2vec2-large-xlsr-53",
        "XLSR-53",
        _APACHE,
        _XLSR,
        ("Multilingual LibriSpeech", "Common Voice", "BABEL"),
    ),
    ("facebook/hubert-base-ls960", "HuBERT Base", _APACHE, _HUBERT, LIBRISPEECH),
    ("facebook/hubert-large-ll60k", "HuBERT Large", _APACHE, _HUBERT, LIBRI_LIGHT),
    ("facebook/hubert-xlarge-ll60k", "HuBERT X-Large", _APACHE, _HUBERT, LIBRI_LIGHT),
    ("microsoft/wavlm-base", "WavLM Base", _CC_BY_SA, _WAVLM, LIBRISPEECH),
    ("microsoft/wavlm-base-plus", "WavLM Base+", _CC_BY_SA, _WAVLM, WAVLM_94K),
    ("microsoft/wavlm-large", "WavLM Large", _CC_BY_SA, _WAVLM, WAVLM_94K),
    ("facebook/data2vec-audio-base", "data2vec-audio Base", _APACHE, _DATA2VEC, LIBRISPEECH),
    # Its page says LibriSpeech; the paper's Table 2 says Libri-Light for the large models.
    ("facebook/data2vec-audio-large", "data2vec-audio Large", _APACHE, _DATA2VEC, LIBRI_LIGHT),
    *(
        (f"openai/whisper-{size}", f"Whisper {size} encoder", _MIT, _WHISPER, UNDISCLOSED_WEB)
        for size in (
            *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
            *("large", "large-v2", "large-v3", "large-v3-turbo"),
        )
    ),
)

CARDS = {model: _card(model, *facts, *corpora) for model, *facts, corpora in _FACTS}
"""Cards by hub id."""


def card_of(model: str, trained_on: tuple[str, ...] | None) -> TeacherCard:
    """The card of a hub id or a local folder; ``trained_on``, where given, is the user's word.

    Reads no file: the card of a folder says no more than its name.
    """
    local = Path(model).expanduser().is_dir()
    if not local and model in CARDS:
        card = CARDS[model]
        return card if trained_on is None else replace(card, trained_on=trained_on)
    return TeacherCard(
        title=Path(model).expanduser().resolve().name if local else model,
        licence="unknown",
        home="local folder" if local else f"https://huggingface.co/{model}",
        citation="unknown",
        trained_on=trained_on,
    )
