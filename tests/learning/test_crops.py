"""Fixed crops: where they are cut, how they sound, and that nothing else decides them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from tests_support.front_ends import LOG_MEL
from tests_support.tables import noise_table

from serbench.api import CorpusError
from serbench.data.corpus.table import CorpusTable
from serbench.data.corpus.unlabelled import UnlabelledRecording
from serbench.learning.crops import Crop, CropRecipe, crops_of, heard
from serbench.learning.extract import speech_frames
from serbench.learning.teach.embed import embed_corpus
from serbench.settings import AugmentSettings, MethodSettings, SegmentSettings
from serbench_runtime.audio.read import pcm_digest, read_audio, read_waveform
from serbench_teachers.functionals import Functionals, FunctionalsParams

RATE_HZ = 16_000
PLAIN = CropRecipe(count=3, window_s=0.5, gain_db=0.0, speed=0.0)


def recording(folder: Path, samples: np.ndarray) -> UnlabelledRecording:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "r.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return UnlabelledRecording("r", path, len(samples) / RATE_HZ, read_audio(path).pcm_sha256)


def ramp(samples: int) -> np.ndarray:
    """Each sample tells its place."""
    return (np.arange(1, samples + 1) / RATE_HZ / 4).astype(np.float32)


def test_a_crop_is_a_piece_of_the_recording_and_each_is_another(tmp_path: Path) -> None:
    source = recording(tmp_path, ramp(2 * RATE_HZ))
    whole = read_waveform(source.path)
    firsts = set()
    for number in range(40):
        crop = Crop(source, number, PLAIN)
        samples = crop.waveform()
        assert crop.duration_s == len(samples) / RATE_HZ == 0.5
        first = int(np.argmin(np.abs(whole - samples[0])))
        np.testing.assert_array_equal(samples, whole[first : first + len(samples)])
        firsts.add(first)
        np.testing.assert_array_equal(heard(crop), Crop(source, number, PLAIN).waveform())
    assert len(firsts) > 35
    assert min(firsts) < 0.2 * RATE_HZ  # anywhere between both ends
    assert max(firsts) > 1.3 * RATE_HZ


def test_a_short_recording_is_taken_whole(tmp_path: Path) -> None:
    source = recording(tmp_path, ramp(4_000))
    crop = Crop(source, 0, PLAIN)
    np.testing.assert_array_equal(crop.waveform(), read_waveform(source.path))
    assert crop.duration_s == 0.25


def test_gain_is_within_its_bounds_and_not_clipped(tmp_path: Path) -> None:
    source = recording(tmp_path, ramp(4_000) * 10)
    whole = read_waveform(source.path)
    recipe = replace(PLAIN, gain_db=6.0)
    gains_db = []
    for number in range(60):
        ratio = Crop(source, number, recipe).waveform() / whole
        assert np.ptp(ratio) < 1e-5
        gains_db.append(20 * np.log10(ratio.mean()))
    assert max(np.abs(gains_db)) <= 6.0 + 1e-4
    assert min(gains_db) < -4.0
    assert max(gains_db) > 4.0


def test_speed_changes_pitch_by_the_factor_it_is_drawn_with(tmp_path: Path) -> None:
    tone_hz = 1_000.0
    samples = 0.5 * np.sin(2 * np.pi * tone_hz * np.arange(2 * RATE_HZ) / RATE_HZ)
    source = recording(tmp_path, samples.astype(np.float32))
    recipe = replace(PLAIN, speed=0.2)
    factors = []
    for number in range(30):
        crop = Crop(source, number, recipe)
        given = crop.waveform()
        assert len(given) == pytest.approx(0.5 * RATE_HZ, abs=2)
        assert len(given) <= 0.5 * RATE_HZ
        spectrum = np.abs(np.fft.rfft(given * np.hanning(len(given)), 2**16))
        factors.append(spectrum.argmax() * RATE_HZ / 2**16 / tone_hz)
        expected = crop._draws[0]  # pyright: ignore[reportPrivateUsage]
        assert factors[-1] == pytest.approx(expected, abs=2e-3)
    assert min(factors) < 0.9
    assert max(factors) > 1.1


def test_of_a_short_recording_all_is_heard_faster(tmp_path: Path) -> None:
    source = recording(tmp_path, ramp(4_000))
    for number in range(10):
        crop = Crop(source, number, replace(PLAIN, speed=0.3))
        assert len(crop.waveform()) / RATE_HZ == pytest.approx(crop.duration_s, abs=1e-4)


def test_other_audio_in_place_of_it_is_told(tmp_path: Path) -> None:
    source = recording(tmp_path, ramp(8_000))
    soundfile.write(source.path, ramp(8_000)[::-1], RATE_HZ)
    with pytest.raises(CorpusError, match="has changed"):
        Crop(source, 0, PLAIN).waveform()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("crops") / "noise", speakers=2, utterances=2)


def test_an_identity_has_all_that_decides_a_crop(table: CorpusTable) -> None:
    made = crops_of(table, PLAIN)
    assert [each.digest for each in crops_of(table, PLAIN)] == [each.digest for each in made]
    more = crops_of(table, replace(PLAIN, count=4))
    assert [each.digest for each in more[:3]] == [
        each.digest for each in made
    ]  # one more, no other
    others = [
        crops_of(table, replace(PLAIN, **{name: value}))[0].digest
        for name, value in {"window_s": 0.4, "gain_db": 1.0, "speed": 0.1}.items()
    ]
    assert len({*others, *(each.digest for each in made)}) == 6
    assert [crop.id for crop in made[0].utterances] == list(table.ids)
    assert len({crop.pcm_sha256 for each in made for crop in each.utterances}) == 3 * len(table.ids)


def test_front_end_and_teacher_hear_the_same_samples(table: CorpusTable, tmp_path: Path) -> None:
    """Against both on the crops written to files of their own."""
    (crops, *_) = crops_of(table, replace(PLAIN, gain_db=3.0, speed=0.1))
    silent = lambda *_: None  # noqa: E731
    frames = speech_frames(crops, LOG_MEL, tmp_path / "cache", silent)
    teacher = Functionals(FunctionalsParams())
    said = embed_corpus(teacher, "f", crops, tmp_path / "cache", torch.device("cpu"), silent)
    front_end = LOG_MEL.build()
    assert frames.ids == said.ids == table.ids
    for row, crop in enumerate(crops.utterances):
        samples = torch.from_numpy(crop.waveform())
        values = frames.values[frames.start[row] : frames.start[row] + frames.count[row]]
        np.testing.assert_allclose(values, front_end(samples).numpy(), atol=1e-5)
        (alone,) = teacher.embed([samples])
        np.testing.assert_allclose(
            said.pooled_of([crop.id])[0], alone.pooled.numpy(), rtol=1e-4, atol=1e-4
        )
    assert pcm_digest(crops.utterances[0].waveform()) != crops.utterances[0].source.pcm_sha256


def test_settings_ask_for_crops() -> None:
    assert CropRecipe.of(MethodSettings()) is None
    settings = MethodSettings(augment=AugmentSettings(crops=2, speed=0.1, gain_db=1.0))
    assert CropRecipe.of(settings) == CropRecipe(2, 3.0, 1.0, 0.1)
    with pytest.raises(ValidationError, match="speed applies to crops"):
        AugmentSettings(speed=0.1)
    with pytest.raises(ValidationError, match="takes the middle of each utterance"):
        MethodSettings(augment=AugmentSettings(crops=2), segments=SegmentSettings(cut="centre"))
