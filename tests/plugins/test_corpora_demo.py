from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from serbench.api import CorpusError
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import locate
from serbench.data.corpus.table import CorpusTable
from serbench_corpora.demo import Demo, DemoParams
from serbench_corpora.synthesis.cues import CUE_COUNT, EMOTIONS, PROTOTYPES, Cues
from serbench_corpora.synthesis.phones import SENTENCES, phone_sequence
from serbench_corpora.synthesis.source import glottal_source
from serbench_corpora.synthesis.tract import frame_count, shape
from serbench_corpora.synthesis.utterance import synthesise
from serbench_corpora.synthesis.voice import Voice, generator, make_voice
from serbench_runtime.audio.read import read_waveform

RATE_HZ = 16000


def nothing(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def default_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorpusTable, float]:
    """The corpus with default parameters, and the CPU seconds that its synthesis took."""
    cache = tmp_path_factory.mktemp("cache")
    corpus = Demo(DemoParams())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SERBENCH_DATA", raising=False)
        start = time.process_time()
        folder = locate(corpus, "demo", None, cache, nothing, lambda text: None)
        seconds = time.process_time() - start
    return load_corpus(corpus, "demo", folder, cache, nothing), seconds


def test_it_is_made_in_seconds_with_the_counts_of_its_card(
    default_build: tuple[CorpusTable, float],
) -> None:
    table, seconds = default_build
    assert seconds < 10
    assert len(table.utterances) == table.card.utterances == 8 * 4 * 6 * 2
    assert table.labels == ("anger", "happiness", "neutral", "sadness")
    assert table.units == ("f01", "f02", "f03", "f04", "m01", "m02", "m03", "m04")
    assert table.card.fold_sets["pairs"][0] == ("f01", "m01")
    assert {u.text for u in table.utterances} == set(SENTENCES)
    assert len({u.pcm_sha256 for u in table.utterances}) == 384
    durations_s = np.array([u.duration_s for u in table.utterances])
    assert durations_s.min() > 1.0
    assert durations_s.max() < 3.0
    assert 1.2 < durations_s.mean() < 2.5


def test_no_sample_is_at_full_scale_for_long(default_build: tuple[CorpusTable, float]) -> None:
    clipped = [np.mean(np.abs(read_waveform(u.path)) >= 0.998) for u in default_build[0].utterances]
    assert np.max(clipped) < 0.01


def test_methods_land_between_chance_and_perfect(default_build: tuple[CorpusTable, float]) -> None:
    """Logistic regression on log-mel statistics, on unseen speakers."""
    table, _ = default_build
    statistics = np.stack([log_mel_statistics(u.path) for u in table.utterances])
    labels = table.label_index
    speakers = np.array([u.speaker for u in table.utterances])
    predicted = np.zeros_like(labels)
    for pair in table.card.fold_sets["pairs"]:
        test = np.isin(speakers, pair)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(statistics[~test], labels[~test])
        predicted[test] = model.predict(statistics[test])
    ua = recall_score(labels, predicted, average="macro")
    print(f"demo: UA of logistic regression on log-mel statistics {ua:.3f}")
    assert 0.6 < ua < 0.85
    for label in range(4):
        assert np.mean(predicted[labels == label] == label) > 0.4


def log_mel_statistics(path: Path) -> np.ndarray:
    """Mean and deviation over time of 40 log-mel bands, ``(80,)``."""
    windows = np.lib.stride_tricks.sliding_window_view(read_waveform(path), 400)[::160]
    power = np.abs(np.fft.rfft(windows * np.hanning(400), 512)) ** 2
    low_mel, high_mel = 2595 * np.log10(1 + np.array([20.0, 7600.0]) / 700)
    mel = np.linspace(low_mel, high_mel, 42)
    edges_hz = 700 * (10 ** (mel / 2595) - 1)
    bins_hz = np.linspace(0, RATE_HZ / 2, 257)
    filters = [np.interp(bins_hz, edges_hz[i : i + 3], [0, 1, 0]) for i in range(40)]
    log_mel = np.log(power @ np.array(filters).T + 1e-8)
    return np.concatenate([log_mel.mean(0), log_mel.std(0)])


def digests(folder: Path) -> dict[str, str]:
    """sha256 of each wav file, by its name."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.wav")}


def test_the_same_parameters_give_the_same_bytes_and_more_of_them_leave_the_others(
    tmp_path: Path, default_build: tuple[CorpusTable, float]
) -> None:
    steps: list[tuple[int, int]] = []
    assert Demo(DemoParams(speakers=4, takes=1)).build(tmp_path, lambda *step: steps.append(step))
    assert steps == [(done, 96) for done in range(1, 97)]
    few, more = digests(tmp_path), digests(default_build[0].folder)
    assert few.items() < more.items()


def test_another_seed_gives_other_speakers(
    tmp_path: Path, default_build: tuple[CorpusTable, float]
) -> None:
    Demo(DemoParams(speakers=4, takes=1, seed=1)).build(tmp_path, nothing)
    assert not set(digests(tmp_path).values()) & set(digests(default_build[0].folder).values())


def test_parameters_are_checked() -> None:
    with pytest.raises(ValidationError, match="must be even"):
        DemoParams(speakers=5)
    for wrong in ({"speakers": 2}, {"takes": 0}, {"seed": -1}):
        with pytest.raises(ValidationError):
            DemoParams(**wrong)


def test_a_foreign_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "03a01Fa.wav").touch()
    with pytest.raises(CorpusError, match=r"03a01Fa\.wav: not a file name of the demo corpus"):
        list(Demo(DemoParams()).utterances(tmp_path))


# The synthesis itself.


@pytest.fixture(scope="module")
def voice() -> Voice:
    return make_voice("male", generator("test"))


def take(voice: Voice, cues: Cues) -> np.ndarray:
    samples = synthesise(SENTENCES["s1"], voice, cues, RATE_HZ, generator("take"))
    return samples / 32768


def tilt_db(samples: np.ndarray) -> float:
    """Energy of 1 … 3 kHz against energy of 100 … 800 Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    high, low = (hz > 1000) & (hz < 3000), (hz > 100) & (hz < 800)
    return 10 * np.log10(power[high].sum() / power[low].sum())


def test_each_cue_does_what_its_name_says(voice: Voice) -> None:
    plain = take(voice, Cues())
    assert len(take(voice, Cues(rate=0.3))) < 0.85 * len(plain)
    louder = np.std(take(voice, Cues(level_db=6.0))) / np.std(plain)
    assert louder == pytest.approx(2.0, rel=0.05)
    assert tilt_db(take(voice, Cues(tilt_db=8.0))) > tilt_db(plain) + 2


@pytest.mark.parametrize("f0_hz", [90.0, 160.0, 310.0])
def test_the_source_has_the_asked_f0(f0_hz: float) -> None:
    ones = np.ones(RATE_HZ)
    source = glottal_source(f0_hz * ones, ones, 0.6, 0.0, 0.0, RATE_HZ, generator("f0"))
    spectrum = np.abs(np.fft.rfft(source * np.hanning(RATE_HZ)))
    assert 10 + np.argmax(spectrum[10:400]) == pytest.approx(f0_hz, abs=1)  # bins of 1 Hz


def test_jitter_broadens_the_harmonics() -> None:
    ones = np.ones(RATE_HZ)

    def strength_of_tenth_harmonic(jitter: float) -> float:
        source = glottal_source(100 * ones, ones, 0.6, jitter, 0.0, RATE_HZ, generator("jitter"))
        power = np.abs(np.fft.rfft(source * np.hanning(RATE_HZ))) ** 2
        return power[998:1003].sum() / power[950:1050].sum()

    assert strength_of_tenth_harmonic(0.0) > 0.99
    assert strength_of_tenth_harmonic(0.02) < 0.6


def test_the_tract_resonates_at_its_formants() -> None:
    impulse = np.zeros(4000)
    impulse[1000] = 1.0
    frames = frame_count(4000)
    formants_hz = np.tile([700.0, 1200.0, 2500.0, 3500.0], (frames, 1))
    silence = np.zeros(frames)
    bands = np.tile([4000.0, 1000.0], (frames, 1))
    response = shape(impulse, np.zeros(4000), formants_hz, silence, bands, 0.0, RATE_HZ)
    spectrum = np.abs(np.fft.rfft(response, RATE_HZ))  # bins of 1 Hz
    for formant_hz in (700, 1200, 2500, 3500):
        near = spectrum[formant_hz - 150 : formant_hz + 150]
        assert np.argmax(near) - 150 == pytest.approx(0, abs=40)


def test_the_tract_without_resonance_gives_noise_in_its_band() -> None:
    noise = generator("noise").standard_normal(RATE_HZ)
    frames = frame_count(RATE_HZ)
    formants_hz = np.tile([500.0, 1500.0, 2500.0, 3500.0], (frames, 1))
    bands = np.tile([5000.0, 400.0], (frames, 1))
    hiss = shape(np.zeros(RATE_HZ), noise, formants_hz, np.ones(frames), bands, 0.0, RATE_HZ)
    power = np.abs(np.fft.rfft(hiss)) ** 2
    assert power[4000:6000].sum() > 0.98 * power.sum()


def test_the_prototypes_have_the_published_signs() -> None:
    anger, joy, sadness = (PROTOTYPES[name] for name in ("anger", "happiness", "sadness"))
    for high in (anger, joy):
        assert min(high.f0_level_st, high.f0_range, high.rate, high.level_db, high.tilt_db) > 0
    assert max(sadness.f0_range, sadness.rate, sadness.level_db, sadness.tilt_db) < 0
    assert PROTOTYPES["neutral"] == Cues()
    assert tuple(PROTOTYPES) == EMOTIONS


def test_voices_are_drawn_once_and_for_all() -> None:
    again = make_voice("male", generator("test"))
    assert again.f0_hz == make_voice("male", generator("test")).f0_hz
    assert again.strengths.shape == (CUE_COUNT,)
    many = range(20)
    women = np.mean([make_voice("female", generator(n)).f0_hz for n in many])
    men = np.mean([make_voice("male", generator(n)).f0_hz for n in many])
    assert women > 1.5 * men


def test_sentences_use_known_phones_and_carry_stress() -> None:
    for sentence in SENTENCES.values():
        stressed = [phone for phone, stress in phone_sequence(sentence) if stress]
        assert len(stressed) >= 2
        assert all(phone.is_vowel for phone in stressed)


@pytest.mark.parametrize("name", ["f01_anger_s1_2.wav", "f01_anger_s1_2", "any/f01_anger_s1_2.wav"])
def test_a_name_tells_speaker_emotion_and_sentence(name: str) -> None:
    record = Demo(DemoParams()).read_name(name)
    assert record is not None
    assert (record.id, record.speaker, record.label, record.text) == (
        "f01_anger_s1_2", "f01", "anger", "s1",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["", "x01_anger_s1_2", "f01_rage_s1_2", "f01_anger_s1_2.flac"])
def test_a_name_of_another_grammar_tells_nothing(name: str) -> None:
    assert Demo(DemoParams()).read_name(name) is None
