from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from serbench.api import TeacherCard
from serbench.protocol.guard.corpus_names import CORPORA, canonical
from serbench_corpora.emodb import CARD as EMODB
from serbench_teachers.cards import card_of
from serbench_teachers.facts import CARDS, ENCODERS, TUNED
from serbench_teachers.speech_encoder import SpeechEncoder, SpeechEncoderParams

BARRED = {
    "superb/hubert-large-superb-er": ("IEMOCAP",),
    "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim": ("MSP-Podcast",),
    "ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition": ("Common Voice", "RAVDESS"),
    "iic/emotion2vec_plus_seed": ("EmoBox",),
}


def trained_on(card: TeacherCard) -> tuple[str, ...] | None:
    return None if card.pretrained_on is None else (*card.pretrained_on, *card.fine_tuned_on)


@pytest.mark.parametrize("model", CARDS)
def test_every_card_is_whole_and_spells_corpora_as_everywhere(model: str) -> None:
    card = CARDS[model]
    assert all((card.title, card.licence, card.citation))
    assert card.home.endswith(f"/{model}")
    assert card.hint == ""
    names = (*(card.pretrained_on or ()), *card.fine_tuned_on)
    assert len(set(card.fine_tuned_on)) == len(card.fine_tuned_on)
    for name in names:
        assert name in CORPORA
        assert canonical(name) == name
    # No card may look clean by saying nothing at all.
    assert names or card.undisclosed or card.pretrained_on is None


def test_no_hub_id_has_two_cards() -> None:
    ids = [fact.model for fact in (*ENCODERS, *TUNED)]
    assert len({model.casefold() for model in ids}) == len(ids) == len(CARDS)


@pytest.mark.parametrize("fact", TUNED, ids=lambda fact: fact.model)
def test_a_copy_has_seen_what_its_base_has_seen(fact: object) -> None:
    model, base, *_ = fact  # pyright: ignore[reportGeneralTypeIssues]
    assert set(trained_on(CARDS[base]) or ()) <= set(trained_on(CARDS[model]) or ())
    assert CARDS[model].undisclosed == CARDS[base].undisclosed


def test_what_is_published() -> None:
    assert trained_on(card_of("facebook/wav2vec2-large", None)) == ("LibriSpeech",)
    assert trained_on(card_of("microsoft/wavlm-large", None)) == (
        *("Libri-Light", "GigaSpeech", "VoxPopuli"),
    )
    assert trained_on(card_of("emotion2vec/emotion2vec_base", None)) == (
        *("LibriSpeech", "IEMOCAP", "MELD", "CMU-MOSEI", "MEAD", "MSP-Podcast"),
    )
    for model, tuned in BARRED.items():
        assert card_of(model, None).fine_tuned_on == tuned
    whisper = card_of("openai/whisper-base", None)
    assert (trained_on(whisper), whisper.undisclosed) == ((), True)
    large = card_of("emotion2vec/emotion2vec_plus_large", None)
    assert (large.pretrained_on, large.undisclosed) == (None, True)


def test_the_hub_does_not_mind_the_case_of_an_id() -> None:
    assert card_of("Facebook/WAV2VEC2-large", None) == card_of("facebook/wav2vec2-large", None)


def test_a_declaration_fills_a_gap_and_takes_nothing_from_a_card() -> None:
    assert card_of("someone/encoder", None).pretrained_on is None
    assert card_of("someone/encoder", ("IEMOCAP",)).pretrained_on == ("IEMOCAP",)
    model = "superb/hubert-large-superb-er"
    assert card_of(model, ()) == card_of(model, None)
    assert card_of(model, ("TESS", "IEMOCAP")).fine_tuned_on == ("IEMOCAP", "TESS")
    assert card_of("openai/whisper-base", ("TESS",)).undisclosed


def test_a_folder_is_not_trusted_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "openai" / "whisper-base").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    card = card_of("openai/whisper-base", None)
    assert (card.title, card.licence, card.pretrained_on) == ("whisper-base", "unknown", None)
    assert not card.undisclosed


def test_a_config_that_names_its_origin_is_a_hint_and_no_declaration(tmp_path: Path) -> None:
    config = {"model_type": "hubert", "_name_or_path": "facebook/hubert-base-ls960"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    card = card_of(str(tmp_path), None)
    assert card.pretrained_on is None
    assert "derives from facebook/hubert-base-ls960" in card.hint
    declared = card_of(str(tmp_path), ("LibriSpeech",))
    assert (declared.pretrained_on, declared.hint) == (("LibriSpeech",), "")


@pytest.mark.parametrize(
    "config",
    ["{", "[]", "{}", '{"_name_or_path": 3}', '{"_name_or_path": "/home/me/my-secret-model"}'],
)
def test_no_hint_where_the_config_names_nothing_known(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    assert card_of(str(tmp_path), None).hint == ""
    (tmp_path / "config.json").unlink()
    assert card_of(str(tmp_path), None).hint == ""


def test_a_user_declares_through_a_parameter() -> None:
    given = {"model": "someone/encoder", "trained_on": ["Emo-DB"]}
    assert SpeechEncoder(SpeechEncoderParams.model_validate(given)).card.pretrained_on == (
        "Emo-DB",
    )


@pytest.mark.parametrize("name", ["RAVDESS, TESS", "RAVDESS+TESS", " ", "…"])
def test_two_corpora_in_one_name_would_match_neither(name: str) -> None:
    with pytest.raises(ValidationError, match="is not the name of one corpus"):
        SpeechEncoderParams.model_validate({"trained_on": ["LibriSpeech", name]})


def test_the_corpora_spell_themselves_as_everywhere() -> None:
    assert {canonical(name) for name in (EMODB.title, *EMODB.names, "emodb")} == {"EmoDB"}
