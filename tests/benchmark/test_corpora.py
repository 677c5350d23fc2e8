from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import serbench
from serbench.api import SplitError
from serbench.cli import app

SMALL = """\
[datasets.small]
corpus = "demo"
folds = "pairs"
params = { speakers = 4, takes = 1 }
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serbench.toml").write_text(SMALL)


def test_a_corpus_has_a_card_and_a_table() -> None:
    corpus = serbench.corpus("small")
    rows = corpus.utterances
    assert len(rows) == 96
    assert rows["utterance"].is_unique
    assert [*corpus.labels] == [*corpus.card.labels] == ["anger", "happiness", "neutral", "sadness"]
    assert rows["duration_s"].between(0.5, 5).all()
    assert set(rows["sample_rate_hz"]) == {16_000}
    assert all(path.is_file() for path in rows["path"])
    assert repr(corpus) == "<LoadedCorpus small: 96 utterances, 4 speakers, 4 classes>"


def test_a_notebook_shows_card_and_table_without_foreign_markup() -> None:
    corpus = serbench.corpus("small")
    corpus.utterances["text"] = "<script>alert(1)</script>"
    shown = corpus._repr_html_()
    assert corpus.card.title in shown
    assert "f01_anger_s1_1" in shown
    assert "<script>" not in shown
    assert "pcm_sha256" not in shown


def test_classes_are_merged_by_a_label_map(tmp_path: Path) -> None:
    (tmp_path / "serbench.toml").write_text(
        f'{SMALL}[labels.two.map]\nanger = "loud"\nhappiness = "loud"\nsadness = "soft"\n'
    )
    corpus = serbench.corpus("small", labels="two")
    assert set(corpus.utterances["label"]) == set(corpus.labels) == {"loud", "soft"}
    assert len(corpus.utterances) == 72


def test_folds_are_those_of_the_command_line(tmp_path: Path) -> None:
    folds = serbench.folds("small", "loso")
    result = CliRunner().invoke(app, ["folds", "small", "--folds", "loso", "--csv", "folds.csv"])
    assert result.exit_code == 0, result.output
    written = pd.read_csv(tmp_path / "folds.csv").sort_values("utterance")
    tested = folds[folds["partition"] == "test"].sort_values("utterance")
    assert [*tested["utterance"]] == [*written["utterance"]]
    assert [*tested["fold"]] == [*written["fold"]]


def test_no_speaker_is_on_both_sides_of_any_fold() -> None:
    folds = serbench.folds("small", "loso", inner=True)
    sides = folds.groupby(["fold", "speaker"])["partition"].nunique()
    assert sides.eq(1).all()
    assert folds["fold"].nunique() == 4 * (1 + 3)
    assert set(folds["partition"]) == {"train", "validation", "test"}
    inner = folds[folds["fold"].str.startswith("outer-1/")]
    outer = folds[(folds["fold"] == "outer-1") & (folds["partition"] == "train")]
    assert set(inner["utterance"]) == set(outer["utterance"])


def test_folds_that_cannot_be_made() -> None:
    with pytest.raises(SplitError, match="has pairs, loso, kfold"):
        serbench.folds("small", "nope")
    with pytest.raises(SplitError, match="choose a number from 2 to 4"):
        serbench.folds("small", "kfold", kfold=9)
