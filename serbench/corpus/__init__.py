"""From a corpus plugin to one checked table of utterances."""

from serbench.audio import Audio, pcm_digest, read_audio, read_waveform
from serbench.corpus.derive import TEST, TRAIN, VALIDATION, join, joined_id, relabel
from serbench.corpus.load import load_corpus
from serbench.corpus.locate import locate
from serbench.corpus.table import (
    CorpusTable,
    Recording,
    Speech,
    Utterance,
    make_utterance,
    table_digest,
)
from serbench.corpus.unlabelled import UnlabelledAudio, load_unlabelled

__all__ = [
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Audio",
    "CorpusTable",
    "Recording",
    "Speech",
    "UnlabelledAudio",
    "Utterance",
    "join",
    "joined_id",
    "load_corpus",
    "load_unlabelled",
    "locate",
    "make_utterance",
    "pcm_digest",
    "read_audio",
    "read_waveform",
    "relabel",
    "table_digest",
]
