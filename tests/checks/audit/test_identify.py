from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from serbench.api import SplitError, UtteranceRecord
from serbench.checks.audit.identify import identify_by_corpus, identify_by_name
from serbench.checks.audit.rows import AuditRow
from serbench_corpora.emodb import EmoDB, EmoDBParams
from serbench_corpora.iemocap import Iemocap, IemocapParams

EMODB = EmoDB(EmoDBParams())
HERE = Path("/corpus/wav")


def row(utterance: str, **facts: str) -> AuditRow:
    return AuditRow(utterance, "1", "train", f"f.csv:{utterance}", **facts)  # pyright: ignore[reportArgumentType]


def record(name: str) -> UtteranceRecord:
    found = EMODB.read_name(name)
    assert found is not None
    return replace(found, path=HERE / f"{name}.wav")


def test_a_grammar_names_and_describes_rows() -> None:
    rows = [row("emodb-03a01Fa", path="d/wav/03a01Fa.wav"), row("08a02Wb"), row("x/09a05Na.flac")]
    found = identify_by_corpus(rows, EMODB, "emodb", None)
    assert [(r.utterance, r.speaker, r.text) for r in found.rows] == [
        ("03a01Fa", "03", "a01"), ("08a02Wb", "08", "a02"), ("09a05Na", "09", "a05"),
    ]  # fmt: skip
    assert found.speakers_from == found.texts_from == "emodb's file names"
    assert found.rows[0].path == "d/wav/03a01Fa.wav"
    assert (found.unknown, found.absent, found.unnamed, found.files) == ((), (), (), None)


def test_a_key_may_have_its_dataset_in_front() -> None:
    rows = [row("emodb-03a01Fa"), row("emo_db-08a02Wb"), row("other-03a01Fa")]
    found = identify_by_corpus(rows, EMODB, "emodb", None)
    assert [r.speaker for r in found.rows] == ["03", "08", None]
    assert found.unknown == ("other-03a01Fa",)


def test_rows_that_the_grammar_does_not_know_keep_their_columns() -> None:
    found = identify_by_corpus([row("03a01Fa"), row("mine", speaker="me")], EMODB, "emodb", None)
    assert found.unknown == ("mine",)
    assert [r.speaker for r in found.rows] == ["03", "me"]
    assert found.speakers_from == "emodb's file names (1 of 2), the split file (1 of 2)"
    assert found.texts_from == "emodb's file names (1 of 2), unknown (1 of 2)"


def test_a_copy_says_what_is_missing_on_either_side() -> None:
    records = [record("03a01Fa"), record("08a02Wb")]
    found = identify_by_corpus([row("03a01Fa"), row("09a05Na")], EMODB, "emodb", records)
    assert (found.absent, found.unnamed) == (("09a05Na",), ("08a02Wb",))
    assert found.files == {"03a01Fa": HERE / "03a01Fa.wav", "08a02Wb": HERE / "08a02Wb.wav"}


class Mute(EmoDB):
    """Names tell nothing."""

    def read_name(self, name: str) -> None:
        return None


def test_where_names_do_not_tell_the_copy_does() -> None:
    records = [replace(record("03a01Fa"), id="one"), replace(record("08a02Wb"), id="two")]
    rows = [row("one"), row("k", path="any/08a02Wb.wav")]
    found = identify_by_corpus(rows, Mute(EmoDBParams()), "mute", records)
    assert [(r.utterance, r.speaker) for r in found.rows] == [("one", "03"), ("two", "08")]
    assert found.speakers_from == "mute's files"


def test_another_corpus_is_told() -> None:
    with pytest.raises(
        SplitError, match=r"emodb knows none of the 1 utterances, such as a \(f\.csv:a"
    ):
        identify_by_corpus([row("a")], EMODB, "emodb", None)


@pytest.mark.parametrize("field", ["speaker", "text"])
def test_a_column_that_disagrees_is_an_error_that_lists_every_row(field: str) -> None:
    names = ["03a01Fa", "08a02Wb", "03a01Wb", "08a02Na", "08a02Ta"]
    known = {"speaker": [n[:2] for n in names], "text": [n[2:5] for n in names]}[field]
    good = [row(n, **{field: value}) for n, value in zip(names, known, strict=True)]
    assert identify_by_corpus(good, EMODB, "emodb", None).rows
    swapped = [good[0], good[1], row(names[2], **{field: known[1]}), *good[3:]]
    message = f"f.csv:03a01Wb: 03a01Wb has the {field} {known[1]}, its name says {known[0]}"
    with pytest.raises(SplitError, match="1 rows contradict emodb") as error:
        identify_by_corpus(swapped, EMODB, "emodb", None)
    assert message in str(error.value)


def test_other_names_for_the_same_speakers_agree() -> None:
    names = ["03a01Fa", "08a02Wb", "03a01Wb", "08a02Na", "08a02Ta"]
    rows = [row(n, speaker=f"spk{int(n[:2])}") for n in names]
    assert {r.speaker for r in identify_by_corpus(rows, EMODB, "emodb", None).rows} == {"03", "08"}
    odd = [*rows[:4], row(names[4], speaker="spk3")]
    with pytest.raises(SplitError, match="1 rows contradict") as error:
        identify_by_corpus(odd, EMODB, "emodb", None)
    assert "08a02Ta has the speaker spk3, its name says 08" in str(error.value)


def test_other_spellings_of_the_same_speaker_agree() -> None:
    rows = [
        row("03a01Fa", speaker="3"),
        row("03a01Wb", speaker="03"),
        row("08a02Wb", speaker="8.0"),
    ]
    assert [r.speaker for r in identify_by_corpus(rows, EMODB, "emodb", None).rows] == [
        "03", "03", "08",
    ]  # fmt: skip


def test_labels_may_be_renamed_and_merged_but_not_mixed_up() -> None:
    names = ["03a01Fa", "03a02Fa", "03a01Wa", "03a02Wa", "03a01La", "03a02La"]
    labels = ["happy", "happy", "bad", "bad", "bad", "bad"]
    rows = [row(n, label=label) for n, label in zip(names, labels, strict=True)]
    assert len(identify_by_corpus(rows, EMODB, "emodb", None).rows) == 6
    rows += [row("08a01Fa", label="bad")]
    with pytest.raises(SplitError, match="08a01Fa has the label bad, its name says happiness"):
        identify_by_corpus(rows, EMODB, "emodb", None)


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("Session3/sentences/wav/Ses03F_impro05a/Ses03F_impro05a_M001.wav", "Ses03M"),
        ("Ses01F_script02_2_F000", "Ses01F"),
        ("Ses05M_script01_3_FXX1.wav", "Ses05F"),
    ],
)
def test_iemocap_names_tell_who_speaks_by_their_last_token(name: str, speaker: str) -> None:
    (found,) = identify_by_name([row("key", path=name)]).rows
    assert (found.speaker, found.session) == (speaker, speaker[:5])
    assert found.utterance == Path(name).stem
    assert identify_by_name([row(name)]).speakers_from == "the last token of IEMOCAP's names"


def test_wrong_iemocap_speakers_are_counted_in_a_note() -> None:
    rows = [
        row("a/Ses01F_impro01_F000.wav", speaker="Ses01F"),
        row("a/Ses01F_impro01_M000.wav", speaker="Ses01F"),
        row("a/Ses01M_impro01_M000.wav", speaker="Ses01M"),
    ]
    twice = [*rows, *(replace(r, fold="2") for r in rows)]
    (note,) = identify_by_name(twice).notes
    assert note.startswith("the speaker column is wrong for 1 of 3 utterances of IEMOCAP")
    assert "Ses01F_impro01_M000.wav is by Ses01M, not Ses01F" in note


@pytest.mark.parametrize("name", ["Ses01F_impro01", "ses01F_impro01_F000", "03a01Fa", "a.b.c", ""])
def test_other_names_are_left_alone(name: str) -> None:
    rows = [row(name, speaker="s")]
    found = identify_by_name(rows)
    assert (found.rows, found.speakers_from, found.notes) == (tuple(rows), "the split file", ())
    assert found.texts_from == "unknown"


def test_iemocap_is_identified_by_its_names_with_its_corpus_and_without() -> None:
    iemocap = Iemocap(IemocapParams())
    name = "downloads/iemocap/Session3/sentences/wav/Ses03F_script02_1/Ses03F_script02_1_M004.wav"
    rows = [
        row("iemocap-Ses03F_script02_1_M004", path=name, label="neu"), row("Ses03F_impro01_F000"),
    ]  # fmt: skip
    for found in (identify_by_corpus(rows, iemocap, "iemocap", None), identify_by_name(rows)):
        assert [r.speaker for r in found.rows] == ["Ses03M", "Ses03F"]
        assert [r.text for r in found.rows] == ["script02_1_M", None]
        assert len({r.session for r in found.rows}) == 1
        assert found.unknown == ()


def test_a_speaker_column_with_iemocap_s_first_letter_is_a_note_with_the_corpus_too() -> None:
    rows = [
        row("Ses03F_impro01_M000", speaker="Ses03F"),
        row("Ses03F_impro01_F000", speaker="Ses03F"),
    ]
    found = identify_by_corpus(rows, Iemocap(IemocapParams()), "iemocap", None)
    assert [r.speaker for r in found.rows] == ["Ses03M", "Ses03F"]
    (note,) = found.notes
    assert note.startswith("the speaker column is wrong for 1 of 2 utterances of IEMOCAP")
