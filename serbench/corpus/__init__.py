"""From a corpus plugin to one checked table of utterances."""

from serbench.corpus.audio import Audio, pcm_digest, read_audio, read_waveform
from serbench.corpus.load import load_corpus
from serbench.corpus.locate import locate
from serbench.corpus.table import CorpusTable, Utterance, table_digest

__all__ = [
    "Audio",
    "CorpusTable",
    "Utterance",
    "load_corpus",
    "locate",
    "pcm_digest",
    "read_audio",
    "read_waveform",
    "table_digest",
]
