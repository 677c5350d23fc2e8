from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests_support.surveyed import SOUND, unit_names, utterance

from serbench.checks.finding import Finding
from serbench.checks.survey.sound import Sound, listen
from serbench.checks.survey.speakers import check_voices
from serbench.checks.survey.voice import VALUES
from serbench.data.corpus.check import scan
from serbench.data.corpus.table import Utterance, make_utterance
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

SPEAKERS = tuple(f"sp{n}" for n in range(8))
EMOTIONS = ("anger", "neutral", "sadness")
SENTENCES = ("t1", "t2", "t3", "t4", "t5")
Own = list[Utterance]


def corpus(voice: float = 1.0, seed: int = 0) -> tuple[Own, dict[str, Sound]]:
    """Every speaker says every sentence thrice in every emotion; voices are random directions."""
    draw = np.random.default_rng(seed)
    who, how, what = (
        {name: draw.normal(size=VALUES) for name in names}
        for names in (SPEAKERS, EMOTIONS, SENTENCES)
    )
    own = [
        utterance(s, e, n, t) for s in SPEAKERS for e in EMOTIONS for t in SENTENCES
        for n in range(3)
    ]  # fmt: skip
    sounds = {}
    for u in own:
        centre = voice * who[u.speaker] + how[u.label] + 0.3 * what[u.text or ""]
        own_way = centre + draw.normal(0, 0.5, VALUES)
        halves = (own_way + draw.normal(0, 0.7, (2, VALUES))).astype(np.float32)
        sounds[u.id] = replace(SOUND, voice=halves)
    return own, sounds


@pytest.fixture(scope="module")
def spoken() -> tuple[Own, dict[str, Sound]]:
    return corpus()


def renamed(own: Own, name: Callable[[int, Utterance], str]) -> Own:
    return [replace(u, speaker=name(n, u)) for n, u in enumerate(own)]


def test_right_speakers_pass(spoken: tuple[Own, dict[str, Sound]]) -> None:
    found = check_voices(*spoken)
    assert found.outcome == "passed", found.message
    assert not found.units
    assert found.numbers["same_speaker"] > 0.9
    assert {table.name for table in found.tables} == {"closest", "widest"}


def test_ids_that_say_nothing_fail(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    draw = np.random.default_rng(1)
    found = check_voices(renamed(own, lambda *_: f"n{draw.integers(8)}"), sounds)
    assert found.outcome == "failed"
    assert found.numbers["same_speaker"] == pytest.approx(0.5, abs=0.03)
    assert "swapped" not in found.message


def test_a_sentence_taken_for_the_speaker_fails_and_the_speaker_is_found(
    spoken: tuple[Own, dict[str, Sound]],
) -> None:
    own, sounds = spoken
    swapped = [replace(u, speaker=u.text or "", text=u.speaker) for u in own]
    found = check_voices(swapped, sounds)
    assert found.outcome == "failed"
    assert "Utterances of one sentence are" in found.message
    nested = [replace(u, speaker=u.text or "") for u in own]
    assert check_voices(nested, sounds).outcome == "failed"


def test_one_voice_under_two_ids_is_named(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    split = renamed(own, lambda n, u: f"half{n % 2}" if u.speaker == "sp3" else u.speaker)
    found = check_voices(split, sounds)
    assert found.outcome == "warning"
    assert unit_names(found) == ("half0 ~ half1",)
    assert found.units[0].numbers["told_apart"] < 0.7
    assert "one person under two names" in found.remedy


def test_two_voices_under_one_id_are_named(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    merged = renamed(own, lambda _, u: "both" if u.speaker in {"sp1", "sp6"} else u.speaker)
    found = check_voices(merged, sounds)
    assert found.outcome == "warning"
    assert unit_names(found) == ("both",)
    assert "sp1" in found.units[0].detail
    assert "sp6" in found.units[0].detail


def test_every_id_two_people_is_a_warning(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    pairs = renamed(own, lambda _, u: f"pair{SPEAKERS.index(u.speaker) // 2}")
    found = check_voices(pairs, sounds)
    assert found.outcome == "warning"
    assert "both sides of a dialogue" in found.remedy


def not_run(found: Finding, why: str) -> bool:
    return found.outcome == "not run" and why in found.message


def test_too_little_is_not_judged(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    few = [u for u in own if u.speaker in SPEAKERS[:4]][::4][:48]
    assert not_run(check_voices(few, sounds), "too little speech")
    one = [replace(u, speaker="me") for u in own]
    assert not_run(check_voices(one, sounds), "360 utterances of 1 speaker")
    unheard = dict.fromkeys(sounds, SOUND)
    assert not_run(check_voices(own, unheard), "0 utterances")


def test_a_speaker_for_each_emotion_cannot_be_judged(
    spoken: tuple[Own, dict[str, Sound]],
) -> None:
    own, sounds = spoken
    found = check_voices(renamed(own, lambda _, u: u.label), sounds)
    assert not_run(found, "no speaker has utterances of two emotions")


def test_where_no_voice_is_heard_nothing_is_said_of_speakers() -> None:
    own, sounds = corpus()
    draw = np.random.default_rng(2)
    noise = {
        name: replace(SOUND, voice=draw.normal(size=(2, VALUES)).astype(np.float32))
        for name in sounds
    }
    assert not_run(check_voices(own, noise), "voices cannot be compared")


def test_two_ids_are_never_an_error(spoken: tuple[Own, dict[str, Sound]]) -> None:
    own, sounds = spoken
    two = renamed(own, lambda n, _: f"id{n % 2}")
    assert check_voices(two, sounds).outcome == "warning"


def test_many_speakers_of_few_utterances_are_judged_together() -> None:
    own, sounds = corpus()
    few: Sequence[Utterance] = own[::3]
    found = check_voices(few, sounds)
    assert found.outcome == "passed", found.message
    assert "widest" not in {table.name for table in found.tables}


@pytest.mark.real
def test_emodb_sounds_as_its_speakers_say_and_not_as_its_sentences(emodb: Path) -> None:
    plugin = load_registry(load_plugins()).make("corpora", "emodb")
    records = scan(plugin, "emodb", emodb)  # pyright: ignore[reportArgumentType]
    sounds, _ = listen(records, lambda *_: None)
    own = [make_utterance(record, sounds[record.id]) for record in records]
    assert check_voices(own, sounds).outcome == "passed"
    swapped = [replace(u, speaker=u.text or "", text=u.speaker) for u in own]
    found = check_voices(swapped, sounds)
    assert found.outcome == "failed"
    assert "Utterances of one sentence are" in found.message
