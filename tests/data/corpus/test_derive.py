"""Tables made of whole corpora: fewer classes, or corpora to train on and one to test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serbench.api import CorpusCard, CorpusError
from serbench.data.corpus.derive import join, relabel
from serbench.data.corpus.table import CorpusTable, Utterance, table_digest

LABELS = ("anger", "calm", "neutral", "sadness")


def make(
    name: str, *spoken: tuple[str, str], unit: str = "speaker", labels: tuple[str, ...] = LABELS
) -> CorpusTable:
    """A corpus of utterances, given as (speaker, label)."""
    utterances = tuple(
        Utterance(
            id=f"u{number}",
            path=Path(f"/{name}/u{number}.wav"),
            speaker=speaker,
            session=f"S{speaker}" if unit == "session" else None,
            label=label,
            text="t1",
            duration_s=1.0,
            sample_rate_hz=16_000,
            channels=1,
            pcm_sha256=f"{name} {number}",
        )
        for number, (speaker, label) in enumerate(spoken)
    )
    speakers = tuple(dict.fromkeys(speaker for speaker, _ in spoken))
    card = CorpusCard(
        title=name.upper(),
        language="none",
        licence="CC0",
        home="home",
        citation=f"paper of {name}",
        elicitation="acted",
        labels=labels,
        unit=unit,  # pyright: ignore[reportArgumentType]
        fold_sets={"paper": (speakers,)},
        utterances=len(spoken),
        names=(f"{name} corpus",),
    )
    return CorpusTable(name, card, Path(f"/{name}"), utterances, table_digest(utterances))


def test_a_label_map_keeps_merges_and_leaves_out() -> None:
    table = make("a", ("1", "anger"), ("1", "calm"), ("2", "neutral"), ("3", "sadness"))
    classes = {"anger": "negative", "calm": "even", "neutral": "even", "fear": "negative"}
    mapped = relabel(table, "a-mine", "mine", classes)
    assert [(u.id, u.label) for u in mapped.utterances] == [
        ("u0", "negative"), ("u1", "even"), ("u2", "even"),
    ]  # fmt: skip
    assert mapped.labels == ("even", "negative")
    assert (mapped.name, mapped.evaluated) == ("a-mine", "a")
    assert mapped.digest not in (table.digest, "")
    assert mapped.card.utterances is None
    assert mapped.card.fold_sets == {"paper": (("1", "2"),)}, "speaker 3 has nothing left"
    assert mapped.made == (
        "a by the label map mine: even (calm + neutral), negative (anger); left out: 1 of sadness.",
    )
    assert (table.made, table.labels) == ((), LABELS)


def test_a_label_map_that_fits_nothing_says_so() -> None:
    with pytest.raises(
        CorpusError, match=r"a has no utterance with a label of the label map mine \(joy\)"
    ):
        relabel(make("a", ("1", "anger")), "a-mine", "mine", {"joy": "joy"})


@given(
    st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(LABELS)), min_size=1),
    st.dictionaries(st.sampled_from(LABELS), st.sampled_from("xyz"), min_size=1),
)
def test_what_is_kept_and_what_is_left_out_is_everything(
    spoken: list[tuple[str, str]], classes: dict[str, str]
) -> None:
    table = make("a", *spoken)
    kept = [number for number, (_, label) in enumerate(spoken) if label in classes]
    if not kept:
        return
    mapped = relabel(table, "a", "m", classes)
    assert mapped.ids == tuple(table.ids[n] for n in kept)
    assert [u.label for u in mapped.utterances] == [classes[spoken[n][1]] for n in kept]
    assert set(mapped.labels) == {u.label for u in mapped.utterances}


def test_joined_corpora_are_told_apart_and_split_by_corpus() -> None:
    one, two = make("a", ("1", "anger"), ("1", "calm")), make("b", ("1", "calm"))
    joined = join("a-to-b", [one], two)
    assert joined.ids == ("a/u0", "a/u1", "b/u0")
    assert [u.official for u in joined.utterances] == ["train", "train", "test"]
    assert [u.speaker for u in joined.utterances] == ["a/1", "a/1", "b/1"]
    assert [u.text for u in joined.utterances] == ["a/t1", "a/t1", "b/t1"]
    assert (joined.name, joined.evaluated, joined.labels) == ("a-to-b", "b", ("anger", "calm"))
    assert (joined.card.unit, joined.units) == ("speaker", ("a/1", "b/1"))
    assert joined.card.names == ("B", "b corpus"), "teachers are held against what is tested"
    assert joined.made[-1] == (
        "Trained on a (2 utterances of 1 speakers); tested on b (1 utterances of 1 speakers)."
    )


def test_sessions_of_one_corpus_make_units_of_all() -> None:
    joined = join("x", [make("a", ("1", "anger"), unit="session")], make("b", ("1", "anger")))
    assert joined.card.unit == "session"
    assert [u.session for u in joined.utterances] == ["a/S1", "b/1"]


def test_what_parts_lack_is_kept() -> None:
    one = replace(make("a", ("1", "anger")), incomplete=("a: 1 missing",))
    joined = join("x", [one], make("b", ("1", "anger")))
    assert joined.incomplete == ("a: 1 missing",)


def test_a_class_that_nobody_is_trained_on_cannot_be_tested() -> None:
    with pytest.raises(CorpusError, match=r"b has calm, but no training corpus \(a\).*--labels"):
        join("x", [make("a", ("1", "anger"))], make("b", ("1", "calm")))
