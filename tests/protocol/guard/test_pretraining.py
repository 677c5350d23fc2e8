from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serbench.api import CorpusCard, LeakageError, TeacherCard
from serbench.protocol.guard.corpus_names import COLLECTIONS, CORPORA, canonical, contents
from serbench.protocol.guard.pretraining import (
    check_inheritance,
    check_pretraining,
    provenance,
    provenance_line,
    training_line,
)

LIBRI = TeacherCard("t", "l", "h", "c", pretrained_on=("LibriSpeech",))
E2V = replace(LIBRI, pretrained_on=("LibriSpeech", "IEMOCAP", "MELD", "MSP-Podcast v1.8"))
WEB = replace(LIBRI, pretrained_on=(), undisclosed=True)
UNKNOWN = replace(LIBRI, pretrained_on=None)
NOTHING = replace(LIBRI, pretrained_on=())

IEMOCAP = CorpusCard(
    title="Interactive emotional dyadic motion capture database",
    language="English",
    licence="by request",
    home="h",
    citation="c",
    elicitation="acted",
    labels=("anger", "joy"),
    unit="session",
    names=("IEMOCAP",),
)
EMODB = replace(IEMOCAP, title="Berlin Database of Emotional Speech (EmoDB)", names=())
MINE = replace(IEMOCAP, title="My corpus", names=("Studio tapes",))


def planted(teacher: TeacherCard, name: str, corpus: CorpusCard) -> LeakageError:
    with pytest.raises(LeakageError) as caught:
        check_pretraining({"clean": LIBRI, "leaky": teacher}, name, corpus, allow=False)
    assert caught.value.code == "L7"
    assert "clean" not in str(caught.value)
    return caught.value


def test_a_teacher_pretrained_on_the_corpus_stops_the_run() -> None:
    error = planted(E2V, "iemocap", IEMOCAP)
    assert error.units == ("leaky (IEMOCAP)",)
    assert "trained on recordings of iemocap" in str(error)
    assert "protocol.allow_pretraining_overlap" in str(error)


@pytest.mark.parametrize(
    ("teacher", "name", "corpus", "shared"),
    [
        (replace(UNKNOWN, pretrained_on=("Emo-DB",)), "emodb", EMODB, "Emo-DB"),  # user's own word
        (replace(LIBRI, fine_tuned_on=("IEMOCAP",)), "x", IEMOCAP, "IEMOCAP"),
        (replace(UNKNOWN, fine_tuned_on=("IEMOCAP",)), "x", IEMOCAP, "IEMOCAP"),
        (replace(WEB, fine_tuned_on=("IEMOCAP",)), "x", IEMOCAP, "IEMOCAP"),
        (replace(LIBRI, fine_tuned_on=("studio tapes v2",)), "x", MINE, "studio tapes v2"),
        (replace(LIBRI, fine_tuned_on=("my-own",)), "my own", MINE, "my-own"),
        (replace(LIBRI, fine_tuned_on=("My Corpus",)), "x", MINE, "My Corpus"),
        (E2V, "mix", replace(MINE, made_of=("TESS", "iemocap")), "IEMOCAP"),
        (replace(LIBRI, fine_tuned_on=("EmoBox",)), "emodb", EMODB, "EmoBox"),
        (E2V, "emobox", replace(MINE, title="EmoBox"), "IEMOCAP, MELD, MSP-Podcast v1.8"),
        (replace(LIBRI, fine_tuned_on=("LSED-262h",)), "x", IEMOCAP, "LSED-262h"),
        (
            replace(LIBRI, fine_tuned_on=("EMO-SUPERB",)),
            *("x", replace(MINE, made_of=("EmoBox",)), "EMO-SUPERB"),
        ),
    ],
)
def test_overlap_is_found_by_whatever_name(
    teacher: TeacherCard, name: str, corpus: CorpusCard, shared: str
) -> None:
    assert planted(teacher, name, corpus).units == (f"leaky ({shared})",)


def test_overlap_may_be_allowed_but_is_written_down() -> None:
    cards = {"leaky": E2V, "clean": LIBRI}
    leaky, clean = check_pretraining(cards, "iemocap", IEMOCAP, allow=True)
    assert (leaky.teacher, leaky.status, leaky.shared) == ("leaky", "overlap", ("IEMOCAP",))
    assert leaky.trained_on == E2V.pretrained_on
    assert (clean.status, clean.shared, clean.trained_on) == ("declared", (), ("LibriSpeech",))


def test_clean_teachers_pass() -> None:
    cards = {"libri": LIBRI, "e2v": E2V, "functionals": NOTHING}
    found = check_pretraining(cards, "emodb", EMODB, allow=False)
    assert [each.status for each in found] == ["declared"] * 3
    assert [each.teacher for each in found] == list(cards)
    assert check_pretraining({}, "emodb", EMODB, allow=False) == ()


@pytest.mark.parametrize(
    ("teacher", "status"),
    [
        (UNKNOWN, "undeclared"),
        (replace(UNKNOWN, fine_tuned_on=("TESS",)), "undeclared"),
        (replace(UNKNOWN, undisclosed=True), "undeclared"),
        (WEB, "undisclosed"),
        (replace(LIBRI, undisclosed=True), "undisclosed"),
    ],
)
@pytest.mark.parametrize("allow", [False, True])
def test_what_is_not_known_is_never_clean(teacher: TeacherCard, status: str, allow: bool) -> None:
    (found,) = check_pretraining({"t": teacher}, "emodb", EMODB, allow=allow)
    assert found.status == status


@pytest.mark.parametrize(
    ("teacher", "line"),
    [
        (LIBRI, "t: trained on LibriSpeech; not on emodb"),
        (NOTHING, "t: trained on nothing"),
        (UNKNOWN, "t: undeclared, so overlap with emodb cannot be excluded"),
        (
            replace(UNKNOWN, hint="it may derive from x"),
            "t: undeclared, so overlap with emodb cannot be excluded (it may derive from x)",
        ),
        (
            replace(UNKNOWN, fine_tuned_on=("TESS",)),
            "t: declared are TESS, the rest is undeclared, so overlap with emodb cannot be "
            "excluded",
        ),
        (
            WEB,
            "t: trained on data that are not public, so overlap with emodb can be neither shown "
            "nor excluded",
        ),
        (
            replace(WEB, fine_tuned_on=("TESS",)),
            "t: trained on TESS and on data that are not public, so overlap with emodb can be "
            "neither shown nor excluded",
        ),
        (
            replace(LIBRI, fine_tuned_on=("Emo-DB",)),
            "t: trained on Emo-DB, and so on recordings of emodb",
        ),
    ],
)
def test_each_status_has_its_line(teacher: TeacherCard, line: str) -> None:
    assert provenance_line(provenance("t", teacher, "emodb", EMODB), "emodb") == line


@pytest.mark.parametrize(
    ("teacher", "line"),
    [
        (replace(LIBRI, fine_tuned_on=("TESS", "LibriSpeech")), "trained on LibriSpeech, TESS"),
        (NOTHING, "trained on nothing"),
        (WEB, "trained on undisclosed data"),
        (replace(LIBRI, undisclosed=True), "trained on LibriSpeech, undisclosed data"),
        (UNKNOWN, "training data undeclared"),
        (
            replace(UNKNOWN, fine_tuned_on=("TESS",)),
            "trained on TESS, other training data undeclared",
        ),
    ],
)
def test_a_list_says_what_a_card_says(teacher: TeacherCard, line: str) -> None:
    assert training_line(teacher) == line


@pytest.mark.parametrize(
    ("spelling", "corpus"),
    [
        ("Emo-DB", "EmoDB"),
        ("EmoDB 2.0", "EmoDB"),
        ("Berlin EmoDB", "EmoDB"),
        ("Berlin Database of Emotional Speech (EmoDB)", "EmoDB"),
        ("the Berlin Emotional Speech Database", "EmoDB"),
        ("MSP-Podcast v1.7", "MSP-Podcast"),
        ("MSP-Podcast (1.11)", "MSP-Podcast"),
        ("MSPPodcast1.7", "MSP-Podcast"),
        ("msp_podcast, version 1.10", "MSP-Podcast"),
        ("MSP-IMPROV", "MSP-IMPROV"),
        ("CMU MOSEI", "CMU-MOSEI"),
        ("cmu_mosei", "CMU-MOSEI"),
        ("MOSI", "CMU-MOSI"),
        ("narad/ravdess", "RAVDESS"),
        ("RAVDESS speech, actors 1-20", "RAVDESS"),
        ("IEMOCAP sessions 1-4", "IEMOCAP"),
        ("eNTERFACE 05", "eNTERFACE'05"),
        ("mozilla-foundation/common_voice_6_0", "Common Voice"),
        ("librispeech_asr", "LibriSpeech"),
        ("Multilingual LibriSpeech (MLS)", "Multilingual LibriSpeech"),
        ("Oreau", "Oréau"),
        ("VoxCeleb 2", "VoxCeleb2"),
        ("MER 2023", "MER2023"),
    ],
)
def test_one_corpus_has_many_spellings(spelling: str, corpus: str) -> None:
    assert canonical(spelling) == corpus


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CMU-MOSEI", "CMU-MOSI"),
        ("MSP-Podcast", "MSP-IMPROV"),
        ("LibriSpeech", "Multilingual LibriSpeech"),
        ("LibriSpeech", "Libri-Light"),
        ("Urdu broadcasts", "URDU"),
        ("MER2023", "MER2024"),
        ("emotion2vec", "EmoDB"),
        ("Studio A", "Studio B"),
    ],
)
def test_other_corpora_stay_apart(one: str, other: str) -> None:
    assert not contents(one) & contents(other)


def test_the_table_of_names_agrees_with_itself() -> None:
    for corpus, also in CORPORA.items():
        assert {canonical(name) for name in (corpus, *also)} == {corpus}
    for whole, parts in COLLECTIONS.items():
        assert whole in CORPORA
        assert set(parts) <= CORPORA.keys()
        assert len(set(parts)) == len(parts)
    assert len(COLLECTIONS["EmoBox"]) == 32


SEPARATORS = st.sampled_from([" ", "-", "_", " - ", ""])
CASES = st.sampled_from([str.upper, str.lower, str.title, str])
VERSIONS = st.sampled_from(["", " v1.7", " (1.11)", "_v2", " version 2.0", " 1.10"])


@given(corpus=st.sampled_from(sorted(CORPORA)), sep=SEPARATORS, case=CASES, version=VERSIONS)
@settings(max_examples=150, deadline=None)
def test_case_separators_and_versions_make_no_difference(
    corpus: str, sep: str, case: type[str], version: str
) -> None:
    spelled = sep.join(re.split(r"[ -]", corpus))
    assert canonical(case(spelled) + version) == corpus


@given(words=st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_corpora_that_nobody_listed_are_still_told_by_their_name(words: list[str]) -> None:
    assume(words[0] != "the")
    one = canonical(" ".join(words) + " corpus")
    assert one == canonical("-".join(words).upper() + " v1.2")
    assert one != canonical("zz" + " ".join(words))


@given(name=st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_canonical_name_is_its_own(name: str) -> None:
    once = canonical(name)
    assert canonical(once) == once


def test_models_that_students_inherit_from_are_asked_as_teachers_are() -> None:
    (found,) = check_inheritance({"student heir": LIBRI}, "emodb", EMODB, allow=False)
    assert (found.student, found.card, found.found.status) == ("student heir", LIBRI, "declared")
    heard = {"student heir": replace(LIBRI, fine_tuned_on=("Emo-DB",))}
    with pytest.raises(LeakageError, match="students that inherit from models") as caught:
        check_inheritance(heard, "emodb", EMODB, allow=False)
    assert (caught.value.code, caught.value.units) == ("L7", ("student heir (Emo-DB)",))
    (found,) = check_inheritance(heard, "emodb", EMODB, allow=True)
    assert found.found.status == "overlap"
