from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from serbench.api import CorpusError
from serbench.testing import check_corpus

from serbench_placeholder.corpus import Placeholder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A very small corpus of noise."""
    draw = np.random.default_rng(0)
    for name in ("s01_A_1", "s01_H_1", "s01_N_1", "s01_S_1", "s02_A_1", "s02_S_2"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * draw.standard_normal(8000), 16000)
    return tmp_path


def test_it_keeps_the_contract(folder: Path) -> None:
    check_corpus(Placeholder, folder)


def test_names_tell_speaker_and_emotion() -> None:
    corpus = Placeholder(Placeholder.Params())
    record = corpus.read_name("wav/s07_H_12.wav")
    assert record is not None
    assert (record.speaker, record.label, record.take) == ("s07", "happiness", "12")


def test_a_name_of_another_grammar_is_told(folder: Path) -> None:
    (folder / "s01_A_1.wav").rename(folder / "notes.wav")
    with pytest.raises(CorpusError, match=r"notes\.wav: names are SPEAKER_EMOTION_TAKE\.wav"):
        list(Placeholder(Placeholder.Params()).utterances(folder))
