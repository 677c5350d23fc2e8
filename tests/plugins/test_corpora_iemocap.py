from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from serbench.api import CorpusError
from serbench.data.corpus.check import count_differences, scan
from serbench.protocol.spelling import respelled
from serbench.testing import check_corpus_card
from serbench_corpora.iemocap import PER_SPEAKER, Iemocap, IemocapParams

EMOTIONS = {"ang": 1103, "hap": 595, "exc": 1041, "neu": 1708, "sad": 1084}
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def line(utterance: str, emotion: str) -> str:
    rater = "C-E2:\tNeutral;\t()\nC-F1:\tAnger; Frustration;\t(caf\xe9)\n"
    return f"[6.2901 - 8.2357]\t{utterance}\t{emotion}\t[2.5000, 2.5000, 2.5000]\n{rater}\n"


def dialogues(session: str) -> list[str]:
    """Both actors wore the markers in turn, so dialogues of either name hold both speakers."""
    kinds = ["impro01", "impro05a", "impro07", "script01_1", "script02_2", "script03_2b"]
    return [f"Ses{session}{worn}_{kind}" for worn in "FM" for kind in kinds]


def names() -> list[tuple[str, str]]:
    """Every utterance of the four classes with its emotion, to the published counts."""
    emotions = [emotion for emotion, count in EMOTIONS.items() for _ in range(count)]
    random.Random(3).shuffle(emotions)
    turns: Counter[tuple[str, str]] = Counter()
    found = []
    for speaker, count in PER_SPEAKER.items():
        there = dialogues(speaker[3:5])
        for number in range(count):
            dialogue = there[number % len(there)]
            turn = turns[dialogue, speaker]
            turns[dialogue, speaker] += 1
            last = f"{speaker[5]}XX{turn}" if turn < 3 else f"{speaker[5]}{turn:03}"
            found.append((f"{dialogue}_{last}", emotions.pop()))
    return found


def tree(folder: Path, rows: list[tuple[str, str]]) -> Path:
    texts: defaultdict[Path, str] = defaultdict(lambda: HEADER)
    for utterance, emotion in rows:
        session = f"Session{int(utterance[3:5])}"
        dialogue = utterance.rsplit("_", 1)[0]
        texts[folder / session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"] += line(
            utterance, emotion
        )
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((text + line(f"{path.stem}_F900", "fru")).encode("latin-1"))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("iemocap"), names())


def test_real_names_give_the_published_counts(folder: Path) -> None:
    corpus = Iemocap(IemocapParams())
    records = scan(corpus, "iemocap", folder)
    differences = count_differences(corpus.card, records)
    assert (differences.missing, differences.surplus) == ((), ())
    assert len(records) == 5531
    assert respelled(records) == ()
    sessions = Counter(record.session for record in records)
    assert sessions == {
        "Session1": 1085, "Session2": 1023, "Session3": 1151, "Session4": 1031, "Session5": 1241,
    }  # fmt: skip


def test_the_speaker_is_in_the_last_token(tmp_path: Path) -> None:
    rows = [
        ("Ses03F_impro05a_M001", "ang"),
        ("Ses03M_script01_1_F012", "hap"),
        ("Ses03M_script03_2b_MXX0", "exc"),
    ]
    every = [*rows, *((f"Ses{n:02}F_impro01_F000", "neu") for n in (1, 2, 4, 5))]
    corpus = Iemocap(IemocapParams())
    found = {record.id: record for record in corpus.utterances(tree(tmp_path, every))}
    assert [found[name].speaker for name, _ in rows] == ["Ses03M", "Ses03F", "Ses03M"]
    assert [found[name].label for name, _ in rows] == ["anger", "happiness", "happiness"]
    assert found["Ses03F_impro05a_M001"].path == Path(
        "Session3/sentences/wav/Ses03F_impro05a/Ses03F_impro05a_M001.wav"
    )
    # A position that is the same in all names would be the dialogue's part, or its actor.
    assert [name.split("_")[2][0] for name, _ in rows] == ["M", "1", "2"]


@pytest.mark.parametrize("name", ["Ses03M_script01_1b_F012", "a/b/Ses03M_script01_1b_F012.wav"])
def test_names_tell_speaker_session_and_script_but_no_emotion(name: str) -> None:
    record = Iemocap(IemocapParams()).read_name(name)
    assert record is not None
    assert (record.id, record.speaker, record.session, record.text, record.label) == (
        "Ses03M_script01_1b_F012", "Ses03F", "Session3", "script01_1_F", "",
    )  # fmt: skip
    improvised = Iemocap(IemocapParams(dialogues="improvised"))
    assert improvised.read_name(name) is None
    spoken = improvised.read_name("Ses05F_impro05a_MXX1")
    assert spoken is not None
    assert (spoken.speaker, spoken.text) == ("Ses05M", None)


@pytest.mark.parametrize("name", ["", "/", "..", "03a01Fa.wav", "Ses06F_impro01_F000", "Ses01F"])
def test_other_names_are_none_of_it(name: str) -> None:
    assert Iemocap(IemocapParams()).read_name(name) is None


def test_names_say_what_the_evaluation_files_say(folder: Path) -> None:
    corpus = Iemocap(IemocapParams())
    for record in corpus.utterances(folder):
        assert corpus.read_name(record.path.as_posix()) == replace(record, label="")


def test_the_improvised_half_alone(folder: Path) -> None:
    corpus = Iemocap(IemocapParams(dialogues="improvised"))
    found = list(corpus.utterances(folder))
    assert 0 < len(found) < 5531
    assert all("_impro" in record.id for record in found)
    assert corpus.card.utterances is None
    assert "improvised" in corpus.card.title


@pytest.mark.parametrize("dialogues", ["all", "improvised"])
def test_the_card_keeps_the_contract(dialogues: str) -> None:
    check_corpus_card(Iemocap, {"dialogues": dialogues})


def test_the_papers_folds_are_the_sessions() -> None:
    folds = Iemocap(IemocapParams()).card.fold_sets["paper"]
    assert folds == (("Session1",), ("Session2",), ("Session3",), ("Session4",), ("Session5",))


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no evaluation files found in .*Session1.*request form"):
        list(Iemocap(IemocapParams()).utterances(tmp_path))


@pytest.mark.parametrize(
    ("utterance", "emotion"),
    [
        ("Ses01F_impro01_X000", "ang"),
        ("Ses02F_impro01_F000", "ang"),
        ("Ses01F_impro01_F000", "joy"),
    ],
)
def test_a_foreign_line_is_told(tmp_path: Path, utterance: str, emotion: str) -> None:
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + line(utterance, emotion))
    with pytest.raises(CorpusError, match="not in IEMOCAP's format"):
        list(Iemocap(IemocapParams()).utterances(tmp_path))
