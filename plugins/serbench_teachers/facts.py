"""Published facts about common encoders: who made them, and what they were trained on.

Each fact is from the paper that is cited or from the model's page (``home``); comments say where
the two disagree. If neither names the corpora, they are undeclared: ``pretrained_on`` is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from serbench.api import TeacherCard

LIBRISPEECH = ("LibriSpeech",)
LIBRI_LIGHT = ("Libri-Light",)
ROBUST = ("Libri-Light", "Common Voice", "Switchboard", "Fisher")
WAVLM_94K = ("Libri-Light", "GigaSpeech", "VoxPopuli")
XLSR_53 = ("Multilingual LibriSpeech", "Common Voice", "BABEL")
XLS_R = ("VoxPopuli", "Multilingual LibriSpeech", "Common Voice", "BABEL", "VoxLingua107")
EMOTION2VEC = ("LibriSpeech", "IEMOCAP", "MELD", "CMU-MOSEI", "MEAD", "MSP-Podcast")
"""The corpora of emotion2vec: data2vec's LibriSpeech, from which it starts, and the 262 hours of
its Table 1.
"""

_APACHE, _MIT, _CC_BY_SA = "Apache-2.0", "MIT", "CC BY-SA 3.0"
_FUNASR = "FunASR model licence"
_PAGE = "its model page"

_WAV2VEC2 = (
    "Baevski et al., wav2vec 2.0: A framework for self-supervised learning of speech "
    "representations, NeurIPS 2020"
)
_ROBUST = (
    "Hsu et al., Robust wav2vec 2.0: Analyzing domain shift in self-supervised pre-training, "
    "Interspeech 2021"
)
_XLSR = (
    "Conneau et al., Unsupervised cross-lingual representation learning for speech recognition, "
    "Interspeech 2021"
)
_XLS_R = (
    "Babu et al., XLS-R: Self-supervised cross-lingual speech representation learning at scale, "
    "Interspeech 2022"
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
_EMOTION2VEC = (
    "Ma et al., emotion2vec: Self-supervised pre-training for speech emotion representation, "
    "Findings of ACL 2024"
)
_AUDEERING = (
    "Wagner et al., Dawn of the transformer era in speech emotion recognition: Closing the valence "
    "gap, IEEE TPAMI 45(9), 2023"
)
_SUPERB = "Yang et al., SUPERB: Speech processing universal performance benchmark, Interspeech 2021"
_SPEECHBRAIN = "Ravanelli et al., SpeechBrain: A general-purpose speech toolkit, 2021"
_ODYSSEY = "Goncalves et al., Odyssey 2024 speech emotion recognition challenge, Odyssey 2024"
_FUNAUDIOLLM = (
    "Tongyi SpeechTeam, FunAudioLLM: Voice understanding and generation foundation models for "
    "natural interaction between humans and LLMs, 2024"
)


class Encoder(NamedTuple):
    """A pretrained encoder."""

    model: str
    title: str
    licence: str
    citation: str
    pretrained_on: tuple[str, ...] | None
    fine_tuned_on: tuple[str, ...] = ()
    undisclosed: bool = False


class Tuned(NamedTuple):
    """A model that was made by training another model further: it has seen the corpora of both."""

    model: str
    base: str
    title: str
    licence: str
    citation: str
    fine_tuned_on: tuple[str, ...]


ENCODERS = (
    Encoder("facebook/wav2vec2-base", "wav2vec 2.0 Base", _APACHE, _WAV2VEC2, LIBRISPEECH),
    Encoder("facebook/wav2vec2-large", "wav2vec 2.0 Large", _APACHE, _WAV2VEC2, LIBRISPEECH),
    Encoder(
        "facebook/wav2vec2-large-lv60", "wav2vec 2.0 Large LV-60", _APACHE, _WAV2VEC2, LIBRI_LIGHT
    ),
    Encoder("facebook/wav2vec2-large-robust", "wav2vec 2.0 Robust", _APACHE, _ROBUST, ROBUST),
    Encoder("facebook/wav2vec2-large-xlsr-53", "XLSR-53", _APACHE, _XLSR, XLSR_53),
    *(
        Encoder(f"facebook/wav2vec2-xls-r-{size}", f"XLS-R {size.upper()}", _APACHE, _XLS_R, XLS_R)
        for size in ("300m", "1b", "2b")
    ),
    Encoder("facebook/hubert-base-ls960", "HuBERT Base", _APACHE, _HUBERT, LIBRISPEECH),
    Encoder("facebook/hubert-large-ll60k", "HuBERT Large", _APACHE, _HUBERT, LIBRI_LIGHT),
    Encoder("facebook/hubert-xlarge-ll60k", "HuBERT X-Large", _APACHE, _HUBERT, LIBRI_LIGHT),
    Encoder("microsoft/wavlm-base", "WavLM Base", _CC_BY_SA, _WAVLM, LIBRISPEECH),
    Encoder("microsoft/wavlm-base-plus", "WavLM Base+", _CC_BY_SA, _WAVLM, WAVLM_94K),
    Encoder("microsoft/wavlm-large", "WavLM Large", _CC_BY_SA, _WAVLM, WAVLM_94K),
    Encoder("facebook/data2vec-audio-base", "data2vec Base", _APACHE, _DATA2VEC, LIBRISPEECH),
    # Its page says LibriSpeech; the paper's Table 2 says Libri-Light for the large models.
    Encoder("facebook/data2vec-audio-large", "data2vec Large", _APACHE, _DATA2VEC, LIBRI_LIGHT),
    # 680,000 hours (large-v3: 5 million) of audio from the web that nobody else can list.
    *(
        Encoder(f"openai/whisper-{size}", f"Whisper {size} encoder", _MIT, _WHISPER, (), (), True)
        for size in (
            *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
            *("large", "large-v2", "large-v3", "large-v3-turbo"),
        )
    ),
    # The weights of emotion2vec are FunASR's, which speech-encoder does not read. Those of the
    # plus models are not described in the paper: their authors name EmoBox for seed (201 of its 294
    # hours, without saying which), and no source for the 4,788 and 42,526 hours of the others.
    *(
        encoder
        for hub in ("emotion2vec", "iic")
        for encoder in (
            Encoder(f"{hub}/emotion2vec_base", "emotion2vec", _FUNASR, _EMOTION2VEC, EMOTION2VEC),
            Encoder(
                f"{hub}/emotion2vec_plus_seed",
                *("emotion2vec+ seed", _FUNASR, _EMOTION2VEC, EMOTION2VEC, ("EmoBox",)),
            ),
            Encoder(
                f"{hub}/emotion2vec_plus_base",
                *("emotion2vec+ base", _FUNASR, _EMOTION2VEC, EMOTION2VEC, (), True),
            ),
            # A larger network than the paper's: its starting weights are not stated.
            Encoder(
                f"{hub}/emotion2vec_plus_large",
                *("emotion2vec+ large", _FUNASR, _EMOTION2VEC, None, (), True),
            ),
        )
    ),
    # "Academic datasets", which are not named, and a selection of 150,000 hours.
    Encoder(
        "iic/emotion2vec_base_finetuned",
        *("emotion2vec, fine-tuned", _FUNASR, _EMOTION2VEC, EMOTION2VEC, (), True),
    ),
    # More than 400,000 hours; these are FunASR's weights too.
    Encoder(
        "FunAudioLLM/SenseVoiceSmall",
        *("SenseVoice Small", _FUNASR, _FUNAUDIOLLM, (), (), True),
    ),
    # The pages of these two name no base model. The first one's says English and AESDD, which is
    # Greek.
    Encoder(
        "harshit345/xlsr-wav2vec-speech-emotion-recognition",
        *("wav2vec 2.0 on AESDD", _APACHE, _PAGE, None, ("AESDD",)),
    ),
    Encoder(
        "m3hrdadfi/wav2vec2-xlsr-persian-speech-emotion-recognition",
        *("wav2vec 2.0 on ShEMO", _APACHE, _PAGE, None, ("ShEMO",)),
    ),
)

TUNED = (
    Tuned(
        "facebook/wav2vec2-base-960h", "facebook/wav2vec2-base",
        "wav2vec 2.0 Base ASR", _APACHE, _WAV2VEC2, LIBRISPEECH,
    ),
    Tuned(
        "facebook/wav2vec2-large-960h", "facebook/wav2vec2-large",
        "wav2vec 2.0 Large ASR", _APACHE, _WAV2VEC2, LIBRISPEECH,
    ),
    Tuned(
        "facebook/wav2vec2-large-960h-lv60", "facebook/wav2vec2-large-lv60",
        "wav2vec 2.0 Large LV-60 ASR", _APACHE, _WAV2VEC2, LIBRISPEECH,
    ),
    Tuned(
        "facebook/wav2vec2-large-960h-lv60-self", "facebook/wav2vec2-large-lv60",
        "wav2vec 2.0 Large LV-60 ASR, self-trained", _APACHE, _WAV2VEC2,
        (*LIBRISPEECH, *LIBRI_LIGHT),
    ),
    Tuned(
        "facebook/wav2vec2-large-robust-ft-libri-960h", "facebook/wav2vec2-large-robust",
        "wav2vec 2.0 Robust ASR", _APACHE, _ROBUST, LIBRISPEECH,
    ),
    Tuned(
        "facebook/wav2vec2-large-robust-ft-swbd-300h", "facebook/wav2vec2-large-robust",
        "wav2vec 2.0 Robust ASR, telephone", _APACHE, _ROBUST, ("Switchboard",),
    ),
    Tuned(
        "facebook/hubert-large-ls960-ft", "facebook/hubert-large-ll60k",
        "HuBERT Large ASR", _APACHE, _HUBERT, LIBRISPEECH,
    ),
    Tuned(
        "facebook/hubert-xlarge-ls960-ft", "facebook/hubert-xlarge-ll60k",
        "HuBERT X-Large ASR", _APACHE, _HUBERT, LIBRISPEECH,
    ),
    Tuned(
        "facebook/data2vec-audio-base-960h", "facebook/data2vec-audio-base",
        "data2vec Base ASR", _APACHE, _DATA2VEC, LIBRISPEECH,
    ),
    Tuned(
        "facebook/data2vec-audio-large-960h", "facebook/data2vec-audio-large",
        "data2vec Large ASR", _APACHE, _DATA2VEC, LIBRISPEECH,
    ),
    Tuned(
        "jonatasgrosman/wav2vec2-large-xlsr-53-english", "facebook/wav2vec2-large-xlsr-53",
        "XLSR-53 English ASR", _APACHE, _PAGE, ("Common Voice",),
    ),
    # MSP-Podcast 1.7; twelve of the 24 layers.
    Tuned(
        "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim", "facebook/wav2vec2-large-robust",
        "audEERING's dimensional model", "CC BY-NC-SA 4.0", _AUDEERING, ("MSP-Podcast",),
    ),
    # autrainer's weights, which speech-encoder does not read.
    Tuned(
        "autrainer/msp-podcast-emo-class-big4-w2v2-l-emo",
        "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
        "audEERING's dimensional model, four classes", "unknown", _PAGE, ("MSP-Podcast",),
    ),
    *(
        Tuned(f"superb/{name}-superb-er", base, f"{title} for SUPERB ER", _APACHE, _SUPERB,
              ("IEMOCAP",))
        for name, base, title in (
            ("wav2vec2-base", "facebook/wav2vec2-base", "wav2vec 2.0 Base"),
            ("wav2vec2-large", "facebook/wav2vec2-large-lv60", "wav2vec 2.0 Large LV-60"),
            ("hubert-base", "facebook/hubert-base-ls960", "HuBERT Base"),
            ("hubert-large", "facebook/hubert-large-ll60k", "HuBERT Large"),
        )
    ),
    # SpeechBrain's weights, which speech-encoder does not read.
    Tuned(
        "speechbrain/emotion-recognition-wav2vec2-IEMOCAP", "facebook/wav2vec2-base",
        "SpeechBrain's wav2vec 2.0 Base", _APACHE, _SPEECHBRAIN, ("IEMOCAP",),
    ),
    # Code of its own, which speech-encoder does not run.
    Tuned(
        "3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes", "microsoft/wavlm-large",
        "Odyssey 2024 baseline, WavLM Large", _MIT, _ODYSSEY, ("MSP-Podcast",),
    ),
    Tuned(
        "ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition",
        "jonatasgrosman/wav2vec2-large-xlsr-53-english",
        "XLSR-53 English on RAVDESS", _APACHE, "doi:10.57967/hf/2045", ("RAVDESS",),
    ),
    Tuned(
        "r-f/wav2vec-english-speech-emotion-recognition",
        "jonatasgrosman/wav2vec2-large-xlsr-53-english",
        "XLSR-53 English on SAVEE, RAVDESS and TESS", "unknown", _PAGE,
        ("SAVEE", "RAVDESS", "TESS"),
    ),
    Tuned(
        "firdhokk/speech-emotion-recognition-with-facebook-wav2vec2-large-xlsr-53",
        "facebook/wav2vec2-large-xlsr-53",
        "XLSR-53 on RAVDESS, SAVEE, TESS and URDU", "unknown", _PAGE,
        ("RAVDESS", "SAVEE", "TESS", "URDU"),
    ),
    # "Multiple datasets, including" these.
    Tuned(
        "firdhokk/speech-emotion-recognition-with-openai-whisper-large-v3",
        "openai/whisper-large-v3",
        "Whisper large-v3 on RAVDESS, SAVEE and TESS", _APACHE, _PAGE,
        ("RAVDESS", "SAVEE", "TESS"),
    ),
)  # fmt: skip


def cards(encoders: Iterable[Encoder], tuned: Iterable[Tuned]) -> dict[str, TeacherCard]:
    """Cards by hub id; each base model comes before the models that were made from it."""
    made = {
        e.model: TeacherCard(
            e.title, e.licence, home(e.model), e.citation,
            e.pretrained_on, e.fine_tuned_on, e.undisclosed,
        )
        for e in encoders
    }  # fmt: skip
    for t in tuned:
        base = made[t.base]
        made[t.model] = TeacherCard(
            t.title, t.licence, home(t.model), t.citation,
            base.pretrained_on, tuple(dict.fromkeys((*base.fine_tuned_on, *t.fine_tuned_on))),
            base.undisclosed,
        )  # fmt: skip
    return made


def home(model: str) -> str:
    """The address of the model's page."""
    hub = "https://modelscope.cn/models" if model.startswith("iic/") else "https://huggingface.co"
    return f"{hub}/{model}"


CARDS = cards(ENCODERS, TUNED)
"""Cards by hub id."""
