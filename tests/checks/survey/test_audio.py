from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.surveyed import RATE_HZ, SOUND, tone, unit_names, utterance, utterances

from serbench.checks.survey.audio import (
    check_background,
    check_clipping,
    check_durations,
    check_format,
    check_margins,
    check_silence,
    check_unreadable,
    fences,
)
from serbench.checks.survey.sound import (
    ClippedRuns,
    frame_power,
    listen,
    margins_s,
    read_sound,
)
from serbench.data.corpus.check import Unusable
from serbench.data.corpus.table import Utterance

EVEN = {(speaker, label): 5 for speaker in "abcd" for label in ("anger", "neutral")}


def clipping(*blocks: np.ndarray) -> tuple[float, int]:
    runs = ClippedRuns()
    for block in blocks:
        runs.add(block)
    return runs.end()


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_margins_are_those_around_the_sound(noise: float) -> None:
    samples = noise * np.random.default_rng(0).standard_normal(2 * RATE_HZ)
    samples[8_000:24_000] += tone(1, 1.0)
    lead, trail = margins_s(frame_power(samples.astype(np.float32)))
    assert lead == pytest.approx(0.5, abs=0.011)
    assert trail == pytest.approx(0.5, abs=0.011)


def test_a_silent_file_is_all_lead_and_a_hum_has_no_margins() -> None:
    assert margins_s(frame_power(np.zeros(RATE_HZ, np.float32))) == (1.0, 0.0)
    assert margins_s(frame_power(np.full(RATE_HZ, 0.1, np.float32))) == (0.0, 0.0)
    assert margins_s(frame_power(tone(0).astype(np.float32))) == (0.0, 0.0)


def test_clipping_counts_runs_and_not_peaks() -> None:
    samples = np.zeros((100, 2), np.float32)
    samples[10:15, 0] = 1.0
    samples[50:53, 1] = -1.0
    samples[70, 0] = samples[80, 1] = 1.0
    assert clipping(samples) == (8 / 200, 5)
    samples[97:, 1] = 1.0
    assert clipping(samples) == (11 / 200, 5)
    assert clipping(np.ones((2, 1), np.float32)) == (0.0, 0)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 99])
def test_clipping_is_the_same_in_blocks(size: int) -> None:
    samples = (np.random.default_rng(size).random((200, 2)) > 0.3).astype(np.float32)
    blocks = [samples[start : start + size] for start in range(0, 200, size)]
    assert clipping(*blocks) == clipping(samples)
    assert clipping(*blocks)[1] > 3


def test_a_file_is_heard_as_models_hear_it(tmp_path: Path) -> None:
    samples = np.zeros((4_410 * 4, 2))
    samples[4_410:8_820] = 0.25 * np.sin(np.arange(4_410) * 0.1)[:, None]
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 44_100)
    sound = read_sound(path)
    assert (sound.sample_rate_hz, sound.channels) == (44_100, 2)
    assert sound.lead_s == pytest.approx(0.1, abs=0.011)
    assert sound.trail_s == pytest.approx(0.2, abs=0.011)
    assert sound.rms_dbfs == pytest.approx(20 * np.log10(0.25 / 2 / np.sqrt(2)), abs=0.02)
    assert sound.noise_dbfs == -120
    quiet = np.stack([samples[:, 0], -0.7 * samples[:, 0]], axis=1)
    soundfile.write(path, quiet, 44_100)
    assert read_sound(path).rms_dbfs == pytest.approx(sound.rms_dbfs + 20 * np.log10(0.15), abs=0.1)
    assert sound.longest_run == 0


def test_all_bad_files_are_told_and_the_others_are_heard(tmp_path: Path) -> None:
    names = ["good", "empty", "short", "text", "gone"]
    found = [replace(utterance("a", "anger"), id=n, path=tmp_path / f"{n}.wav") for n in names]
    soundfile.write(tmp_path / "good.wav", tone(1), RATE_HZ)
    soundfile.write(tmp_path / "short.wav", tone(1, 0.05), RATE_HZ)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no audio")
    seen: list[tuple[int, int]] = []
    sounds, problems = listen(found, lambda *step: seen.append(step))  # pyright: ignore[reportArgumentType]
    assert list(sounds) == ["good"]
    assert list(problems) == names[1:]
    assert seen[-1] == (5, 5)
    finding = check_unreadable(problems, 5)
    assert finding.outcome == "failed"
    assert unit_names(finding) == tuple(names[1:])
    assert "4 of 5 files" in finding.message
    assert check_unreadable({}, 5).outcome == "passed"


def test_what_is_wrong_with_many_files_is_told_once(tmp_path: Path) -> None:
    problems = {n: Unusable(tmp_path / f"{n}.wav", "a web page") for n in "abcd"}
    finding = check_unreadable(problems, 9)
    assert finding.message.endswith(f"4 files, such as {tmp_path / 'a.wav'}: a web page.")
    more = problems | {"e": Unusable(tmp_path / "e.wav", "too short")}
    assert check_unreadable(more, 9).message.endswith("a web page, and others.")


def with_durations(*seconds: float) -> list[Utterance]:
    return [replace(utterance("a", "anger", n), duration_s=s) for n, s in enumerate(seconds)]


def test_very_short_files_and_outliers_are_named() -> None:
    random = np.random.default_rng(1)
    found = with_durations(*random.uniform(1.5, 3, 50), 0.3, 60.0)
    finding = check_durations(found, {u.id: SOUND for u in found})
    assert finding.outcome == "note"
    assert unit_names(finding) == (found[50].id, found[51].id)
    assert "1 file shorter than 0.5 s and 1 outlier" in finding.message
    usual = found[:50]
    assert check_durations(usual, {u.id: SOUND for u in usual}).outcome == "passed"


def test_fences_are_tukeys_on_a_logarithmic_scale() -> None:
    low, high = fences([1, 2, 2, 4, 4, 8])
    first, third = np.quantile(np.log([1, 2, 2, 4, 4, 8]), [0.25, 0.75])
    assert np.log([low, high]) == pytest.approx(
        [first - 3 * (third - first), third + 3 * (third - first)]
    )


def test_a_format_of_one_class_is_an_error() -> None:
    found = utterances(EVEN)
    assert check_format(found).outcome == "passed"
    mixed = [replace(u, sample_rate_hz=44_100) if u.label == "anger" else u for u in found]
    finding = check_format(mixed)
    assert finding.outcome == "failed"
    assert "most files of class" in finding.message
    assert "reaches 100.0 % UA" in finding.message


def test_a_format_of_one_speaker_is_a_warning_and_single_files_a_note() -> None:
    found = utterances(EVEN)
    one = [replace(u, channels=2) if u.speaker == "a" else u for u in found]
    finding = check_format(one)
    assert finding.outcome == "warning"
    assert "most files of speaker a are not 16,000 Hz mono" in finding.message
    single = [replace(found[0], channels=2), *found[1:]]
    assert check_format(single).outcome == "note"
    assert unit_names(check_format(single)) == (found[0].id,)


def test_silent_and_quiet_files() -> None:
    levels = {"a": -20.0, "b": -np.inf, "c": -70.0}
    sounds = {name: replace(SOUND, rms_dbfs=level) for name, level in levels.items()}
    finding = check_silence(sounds)
    assert finding.outcome == "warning"
    assert unit_names(finding) == ("b", "c")
    assert (
        "1 file has one constant value and no sound and 1 file below −60.0 dBFS" in finding.message
    )
    assert check_silence({"a": sounds["a"]}).outcome == "passed"
    many = {f"{n}": sounds["b"] for n in range(3)} | {"a": sounds["a"]}
    assert check_silence(many).outcome == "failed"
    assert check_silence({"b": sounds["b"], "c": sounds["b"]}).outcome == "failed"


def test_cuts_that_tell_the_class() -> None:
    found = utterances(EVEN)
    alike = {u.id: SOUND for u in found}
    assert check_margins(found, alike).outcome == "passed"
    cut = {u.id: replace(SOUND, lead_s=0.5 if u.label == "anger" else 0.1) for u in found}
    finding = check_margins(found, cut)
    assert finding.outcome == "failed"
    assert "0.10 s (neutral) to 0.50 s (anger) before" in finding.message
    assert "Trim" in finding.remedy


def test_hiss_that_tells_the_class() -> None:
    found = utterances(EVEN)
    hiss = {u.id: replace(SOUND, noise_dbfs=-50 if u.label == "anger" else -70) for u in found}
    finding = check_background(found, hiss)
    assert finding.outcome == "failed"
    assert "reaches 100.0 % UA" in finding.message
    near = {u.id: replace(SOUND, noise_dbfs=-68 if u.label == "anger" else -70) for u in found}
    assert check_background(found, near).outcome == "passed"


def test_clipped_files_are_counted_by_class() -> None:
    found = utterances(EVEN)
    assert check_clipping(found, {u.id: SOUND for u in found}).outcome == "passed"
    worst, other = found[0].id, found[5].id
    loud = {u.id: SOUND for u in found}
    loud[worst] = replace(SOUND, clipped=0.1, longest_run=9)
    loud[other] = replace(SOUND, clipped=0.01, longest_run=3)
    finding = check_clipping(found, loud)
    assert finding.outcome == "warning"  # 2 of 40
    assert unit_names(finding) == (worst, other)
    assert "2 of 40 files (5.0 %)" in finding.message
