"""Conditions by name, by family, and by a wrong name."""

from __future__ import annotations

import pytest

from serbench.api import SerbenchError
from serbench.studies.robustness.conditions import CLEAN, CONDITIONS, choose_conditions


def names(*asked: str) -> list[str]:
    return [condition.name for condition in choose_conditions(asked)]


def test_all_conditions_unless_some_are_named() -> None:
    assert choose_conditions() == CONDITIONS
    assert names()[:6] == ["clean", "white@20", "white@15", "white@10", "white@5", "white@0"]
    assert names()[-7:] == [
        "gain@-20", "gain@-10", "gain@10", "8khz", "room@0.3", "room@0.6", "room@1",
    ]  # fmt: skip
    assert len(names()) == len(set(names())) == 23


def test_a_family_or_a_level_in_their_own_order_and_clean_always() -> None:
    assert names("room", "babble@10") == ["clean", "babble@10", "room@0.3", "room@0.6", "room@1"]
    assert names("8khz") == ["clean", "8khz"]
    assert names("clean") == [CLEAN.name]
    assert names("white@0", "white") == names("white")


@pytest.mark.parametrize("wrong", ["brown", "white@12", "gain@+10", "8khz@1", ""])
def test_an_unknown_condition_is_told_with_what_there_is(wrong: str) -> None:
    with pytest.raises(SerbenchError) as caught:
        choose_conditions(["white", wrong])
    text = str(caught.value)
    assert text.startswith(f"--condition {wrong}: unknown condition")
    for known in ("babble (babble@20, ", "gain@-20", "8khz, room (room@0.3"):
        assert known in text


def test_short_names_have_units_and_signs() -> None:
    shown = {condition.name: condition.short for condition in CONDITIONS}
    assert shown["white@5"] == "5 dB"
    assert shown["gain@10"] == "+10 dB"
    assert shown["gain@-20"] == "−20 dB"
    assert shown["room@0.3"] == "T60 0.3 s"
    assert shown["8khz"] == "8 kHz"
    assert shown["clean"] == "clean"
