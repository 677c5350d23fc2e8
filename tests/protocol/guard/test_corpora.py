"""L1 between corpora: by what their cards say they are."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from serbench.api import CorpusCard, LeakageError
from serbench.protocol.guard.corpora import check_distinct


def card(
    title: str, speakers: Mapping[str, int] | None = None, **more: tuple[str, ...]
) -> CorpusCard:
    return CorpusCard(
        title=title, language="", licence="", home="", citation="", elicitation="acted",
        labels=("a", "b"), per_speaker=speakers or {}, **more,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def test_different_corpora_pass() -> None:
    check_distinct({"emodb": card("EmoDB"), "ravdess": card("RAVDESS"), "mine": card("my own")})


def test_two_parts_of_one_corpus_share_its_speakers() -> None:
    cards = {
        "ravdess": card("RAVDESS, speech", {"01": 60, "02": 60}, names=("RAVDESS",)),
        "ravdess-song": card("RAVDESS, song", {"02": 44}, names=("RAVDESS",)),
    }
    with pytest.raises(LeakageError, match=r"ravdess and ravdess-song \(RAVDESS\)") as found:
        check_distinct(cards)
    assert found.value.code == "L1"


def test_parts_whose_cards_list_other_speakers_pass() -> None:
    cards = {
        "esd-english": card("ESD, English", {"0011": 1}, names=("ESD",)),
        "esd-mandarin": card("ESD, Mandarin", {"0001": 1}, names=("ESD",)),
    }
    check_distinct(cards)
    with pytest.raises(LeakageError):
        check_distinct({**cards, "esd-english": card("ESD, English", names=("ESD",))})


def test_a_speaker_in_another_spelling_is_the_same() -> None:
    cards = {
        "one": card("ESD, a part", {"0011": 1}, names=("ESD",)),
        "other": card("ESD, the rest", {"11": 1}, names=("ESD",)),
    }
    with pytest.raises(LeakageError, match="one and other"):
        check_distinct(cards)


def test_a_collection_contains_its_members() -> None:
    with pytest.raises(LeakageError, match="emodb and mixed"):
        check_distinct({"emodb": card("x"), "mixed": card("y", made_of=("Berlin EmoDB",))})
