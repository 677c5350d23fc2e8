"""One canonical name for each corpus, however a card, a paper or a user spells it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

CORPORA: dict[str, tuple[str, ...]] = {
    "AESDD": ("Acted Emotional Speech Dynamic Database",),
    "ASED": ("Amharic Speech Emotion Dataset",),
    "ASVP-ESD": (),
    "BABEL": ("IARPA Babel",),
    "BIIC-NNIME": ("NNIME",),
    "BIIC-Podcast": (),
    "CaFE": ("Canadian French Emotional", "Canadian French Emotional Speech"),
    "CASIA": ("CASIA Chinese Emotional Speech", "CASIA Mandarin Emotional Speech"),
    "CMU-MOSEI": ("MOSEI", "CMU Multimodal Opinion Sentiment and Emotion Intensity"),
    "CMU-MOSI": ("MOSI", "CMU Multimodal Opinion Sentiment Intensity"),
    "Common Voice": ("Mozilla Common Voice",),
    "CREMA-D": (
        "CREMA",
        "Crowd-sourced Emotional Multimodal Actors",
        "Crowd-sourced Emotional Multimodal Actors Dataset",
    ),
    "DES": ("Danish Emotional Speech",),
    "EMNS": ("Emotive Narrative Storytelling",),
    "EMO-SUPERB": (),
    "Emo-262": ("LSED-262h", "LSED-262", "LSED"),
    "EmoBox": (),
    "EmoDB": (
        "Berlin",
        "Berlin EmoDB",
        "Berlin Database of Emotional Speech",
        "Berlin Emotional",
        "Berlin Emotional Speech",
        "Berlin Emotional Speech Database",
        "Database of German Emotional Speech",
    ),
    "Emotions in Polish Speech Recordings": ("Polish Emotional Speech",),
    "EmoV-DB": ("Emotional Voices Database",),
    "EMOVO": (),
    "Emozionalmente": (),
    "eNTERFACE'05": ("eNTERFACE", "eNTERFACE 2005"),
    "ESD": ("Emotional Speech Dataset", "Emotional Speech Database"),
    "FAU-Aibo": ("Aibo", "FAU Aibo Emotion"),
    "Fisher": ("Fisher English",),
    "GigaSpeech": (),
    "IEMOCAP": ("Interactive Emotional Dyadic Motion Capture",),
    "JL-Corpus": (),
    "Libri-Light": ("LL-60k", "LV-60k", "LibriVox"),
    "LibriSpeech": ("LS-960", "LibriSpeech ASR"),
    "LSSED": (),
    "M3ED": (),
    "MEAD": ("Multi-view Emotional Audio-visual Dataset",),
    "MELD": ("Multimodal EmotionLines Dataset",),
    "MER2023": (),
    "MESD": ("Mexican Emotional Speech Database",),
    "MSP-IMPROV": (),
    "MSP-Podcast": (),
    "Multilingual LibriSpeech": ("MLS",),
    "nEMO": (),
    "Oréau": (),
    "PAVOQUE": (),
    "RAVDESS": (
        "Ryerson Audio-Visual Database of Emotional Speech",
        "Ryerson Audio-Visual Database of Emotional Speech and Song",
    ),
    "RECOLA": (),
    "RESD": ("Russian Emotional Speech Dialogs",),
    "SAVEE": ("Surrey Audio-Visual Expressed Emotion",),
    "SEMAINE": (),
    "ShEMO": ("Sharif Emotional Speech Database",),
    "SUBESCO": ("SUST Bangla Emotional Speech Corpus",),
    "Switchboard": ("SWBD",),
    "TESS": ("Toronto Emotional Speech Set",),
    "TurEV-DB": ("Turkish Emotion Voice Database",),
    "URDU": ("Urdu Language Speech Dataset",),
    "VoxCeleb": (),
    "VoxCeleb1": (),
    "VoxCeleb2": (),
    "VoxLingua107": (),
    "VoxPopuli": (),
}
"""Other names of the corpora of the field, and of those that encoders are pretrained on.

Case, separators, versions and words such as "dataset" need no entry of their own.
"""

COLLECTIONS: dict[str, tuple[str, ...]] = {
    # The pretraining data of emotion2vec (Ma et al., Findings of ACL 2024, Table 1).
    "Emo-262": ("IEMOCAP", "MELD", "CMU-MOSEI", "MEAD", "MSP-Podcast"),
    # Its list of data sets (Ma et al., EmoBox, Interspeech 2024).
    "EmoBox": (
        *("AESDD", "ASED", "ASVP-ESD", "CaFE", "CASIA", "CREMA-D", "EMNS", "EmoDB", "EmoV-DB"),
        *("EMOVO", "Emozionalmente", "eNTERFACE'05", "ESD", "IEMOCAP", "JL-Corpus", "M3ED"),
        *("MEAD", "MELD", "MER2023", "MESD", "MSP-Podcast", "Oréau", "PAVOQUE"),
        *("Emotions in Polish Speech Recordings", "RAVDESS", "RESD", "SAVEE", "ShEMO", "SUBESCO"),
        *("TESS", "TurEV-DB", "URDU"),
    ),
    # Its data page (Wu et al., EMO-SUPERB, 2024).
    "EMO-SUPERB": (
        *("IEMOCAP", "CREMA-D", "MSP-IMPROV", "MSP-Podcast", "BIIC-NNIME", "BIIC-Podcast"),
    ),
    "VoxCeleb": ("VoxCeleb1", "VoxCeleb2"),
}
"""Names that stand for several corpora."""

_NOT_A_BEGINNING = frozenset(
    {
        *("berlin", "cafe", "urdu", "fisher", "babel"),
        *("emotionalspeechdataset", "emotionalspeechdatabase", "emotionalvoicesdatabase"),
    }
)
"""Names that are ordinary words: ``"Urdu broadcasts"`` is not the corpus URDU."""

_VERSION = re.compile(
    r"[\s_(\[-]*(?<![^\W_])v(?:er(?:sion)?)?[\s_.-]*\d+(?:[._]\d+)*[)\]\s]*$"  # v1.7, version 2
    r"|[\s_(\[-]+\d+(?:[._]\d+)+[)\]\s]*$"  # 1.11
)
_BRACKETED = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_KINDS = ("dataset", "database", "corpus")


def canonical(name: str) -> str:
    """The canonical name of a corpus: ``"Emo-DB"``, ``"Berlin EmoDB"`` and ``"emodb v2.0"`` are
    EmoDB.

    Case, accents, separators, versions (``"MSP-Podcast (1.11)"``), a leading hub user
    (``"narad/ravdess"``), text after a known name (``"IEMOCAP sessions 1-4"``), and the words
    dataset, database and corpus at the end make no difference.

    Returns:
        A key of ``CORPORA``; for any other corpus its letters and digits in lower case.
    """
    text = _plain(name)
    bare = _BRACKETED.sub(" ", text)
    for part in (text, bare, *_BRACKETED.findall(text), text.rsplit("/", maxsplit=1)[-1]):
        known = _known(part)
        if known is not None:
            return known
    return _without_kind(_key(_VERSION.sub("", bare))) or _key(text) or text.strip()


def contents(name: str) -> frozenset[str]:
    """The canonical names of a corpus and of the corpora that are known to be in it."""
    whole = canonical(name)
    return frozenset({whole, *COLLECTIONS.get(whole, ())})


def _known(text: str) -> str | None:
    """The corpus that a text names, or begins with."""
    for form in _forms(text):
        if form in _BY_KEY:
            return _BY_KEY[form]
    words = _words(text)
    for count in range(len(words), 0, -1):
        beginning = "".join(words[:count])
        if beginning in _BY_KEY and beginning not in _NOT_A_BEGINNING:
            return _BY_KEY[beginning]
    return None


def _forms(text: str) -> Iterator[str]:
    """Keys to look a text up by, the most exact first."""
    whole, bare = _key(text), _key(_VERSION.sub("", text))
    exact = (whole, _without_kind(whole), bare, _without_kind(bare))
    yield from exact
    for key in exact:
        yield re.sub(r"v?\d+$", "", key)


def _plain(name: str) -> str:
    """The name in lower case, without accents and without a leading article."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return re.sub(r"^\s*the[\s_-]+", "", letters)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def _key(text: str) -> str:
    return "".join(_words(text))


def _without_kind(key: str) -> str:
    while (shorter := _cut_kind(key)) != key:
        key = shorter
    return key


def _cut_kind(key: str) -> str:
    for kind in _KINDS:
        if key.endswith(kind):
            return key.removesuffix(kind)
    return key


_BY_KEY = {_key(_plain(n)): corpus for corpus, also in CORPORA.items() for n in (corpus, *also)}
