from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests_support.run_maker import LABELS, SKILL, make_run

import serbench
from serbench.api import StoreError
from serbench.benchmark.read import Run
from serbench.results.figure.png import png
from serbench.results.report.build import report_texts
from serbench.results.report.write import write_report

pytestmark = pytest.mark.usefixtures("figure_files")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = make_run(tmp_path_factory.mktemp("runs") / "made")
    write_report([folder], folder)
    return serbench.Run.load(folder)


def stored(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(run.folder / "tables" / f"{name}.csv", dtype={"speaker": str})


def same(frame: pd.DataFrame, table: pd.DataFrame) -> None:
    """All columns of a frame are those of the stored table."""
    assert set(frame.columns) <= set(table.columns)
    frame, expected = (
        each.astype(object).where(each.notna(), None) for each in (frame, table[[*frame.columns]])
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False, rtol=0, atol=1e-12)


def test_scores_are_those_of_the_stored_tables(run: Run) -> None:
    scores = run.scores()
    same(scores, stored(run, "comparison"))
    assert [*scores["method"]] == [*run.methods] == [*SKILL]
    left = set(stored(run, "comparison").columns) - set(scores.columns)
    assert left == {"delta_ua", "delta_ua_low", "delta_ua_high", "p", "p_holm", "verdict"}
    assert scores["ua"].between(0, 1).all()
    same(run.scores("fold"), stored(run, "folds"))
    same(run.scores(by="speaker"), stored(run, "speakers"))


def test_every_table_says_what_vouches_for_it(run: Run) -> None:
    for frame in (
        run.scores(), run.scores("fold"), run.scores("speaker"), run.compare(), run.predictions()
    ):  # fmt: skip
        assert [*frame.columns[-2:]] == ["protocol", "certificate"]
        assert set(frame["protocol"]) == {"speaker-independent"}
        assert set(frame["certificate"]) == {run.certificate.digest}


def test_differences_are_those_of_the_stored_table(run: Run) -> None:
    compared = run.compare()
    assert set(compared.pop("reference")) == {"akd"}
    same(compared, stored(run, "significance"))
    assert "akd" not in set(compared["method"])


def test_predictions_are_those_of_the_run(run: Run) -> None:
    kept = pd.read_parquet(run.folder / "predictions.parquet")
    pd.testing.assert_frame_equal(run.predictions()[[*kept.columns]], kept)


def test_what_is_read_belongs_to_the_reader(run: Run) -> None:
    before, changed = run.predictions(), run.predictions()
    changed["label"] = "changed"
    scores = run.scores()
    scores["ua"] = 0.0
    pd.testing.assert_frame_equal(run.predictions(), before)
    assert run.scores()["ua"].gt(0).all()


@pytest.mark.parametrize("method", ["akd", "teacher:whisper-base"])
def test_confusions_are_counts_of_the_predictions(run: Run, method: str) -> None:
    counts = run.confusion(method)
    rows = run.predictions()
    rows = rows[rows["method"] == method]
    counted = pd.crosstab(rows["label"], rows["predicted"]).reindex(
        index=LABELS, columns=LABELS, fill_value=0
    )
    assert (counts.to_numpy() == counted.to_numpy()).all()
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")


def test_figures_are_those_of_the_report(run: Run) -> None:
    names = ("comparison", "differences", "costs", "confusion-akd")
    for name in names:
        figure = run.figure(name)
        assert isinstance(figure, Figure)
        assert figure._repr_png_().startswith(b"\x89PNG")  # pyright: ignore[reportAttributeAccessIssue]
    assert png(run._figures()["comparison"]) == (run.folder / "figures" / "ua.png").read_bytes()


def test_the_report_is_written_again(run: Run) -> None:
    (run.folder / "report.md").unlink()
    assert run.report() == run.folder / "report.md"
    assert (run.folder / "report.md").is_file()
    page = run.report(html=True)
    assert page == run.folder / "report.html"
    assert page.is_file()


def test_plan_and_certificate(run: Run) -> None:
    assert run.plan["dataset"]["name"] == "emodb"
    assert run.certificate.digest in report_texts(run.folder)["certificate.md"]
    assert run.name == "made"
    assert repr(run) == f"Run({str(run.folder)!r})"


def test_runs_are_compared_with_each_other(run: Run, tmp_path: Path) -> None:
    other = Run(make_run(tmp_path / "other", {"akd": 0.5}))
    compared = run.compare(other)
    assert {"akd (other)", "transformer"} <= set(compared["method"])
    assert set(compared["reference"]) == {"akd (made)"}
    assert run.certificate.digest in compared["certificate"][0]
    pd.testing.assert_frame_equal(run.compare(other.folder), compared)


def test_a_single_method_is_compared_with_nothing(run: Run, tmp_path: Path) -> None:
    alone = Run(make_run(tmp_path / "alone", {"akd": 0.5}))
    compared = alone.compare()
    assert compared.empty
    assert [*compared.columns] == [*run.compare().columns]


def test_the_newest_run_and_a_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="no run is in runs; make one"):
        Run.load()
    assert Run.load(runs=run.folder.parent).folder == run.folder
    assert Run.load("made", runs=run.folder.parent).folder == run.folder
    with pytest.raises(StoreError, match="did you mean made"):
        Run.load("mad", runs=run.folder.parent)


def test_a_run_that_has_not_finished_is_not_loaded(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "cut")
    (folder / "predictions.parquet").unlink()
    with pytest.raises(StoreError, match="has not finished"):
        Run.load(folder)


def test_a_wrong_name_is_told_with_the_right_ones(run: Run) -> None:
    with pytest.raises(StoreError, match="made has no method 'akdd'; did you mean 'akd'"):
        run.confusion("akdd")
    with pytest.raises(StoreError, match="no figure 'ua'; it has comparison, differences, costs"):
        run.figure("ua")
    with pytest.raises(StoreError, match="has a single test set"):
        run.scores(by="test_set")
    with pytest.raises(StoreError, match="no scores by 'folds'; did you mean 'fold'"):
        run.scores("folds")  # pyright: ignore[reportArgumentType]


def test_a_leaky_run_is_marked_and_not_compared(tmp_path: Path) -> None:
    leaky = Run(make_run(tmp_path / "leaky", protocol="leaky-random"))
    assert set(leaky.scores()["protocol"]) == {"leaky-random"}
    assert "delta_ua" not in leaky.scores()
    with pytest.raises(StoreError, match="leaky-random is broken on purpose"):
        leaky.compare()
    assert "LEAKY PROTOCOL leaky-random" in leaky._repr_html_()


def test_a_notebook_shows_the_scores(run: Run) -> None:
    shown = run._repr_html_()
    for text in ("akd", "transformer", "ΔUA to akd", run.certificate.digest, "Teachers"):
        assert text in shown


def test_names_of_strangers_are_no_markup(tmp_path: Path) -> None:
    name = '<img src=x onerror="alert(1)">'
    run = Run(make_run(tmp_path / "<b>bold", {name: 0.7, "kd": 0.5}))
    shown = run._repr_html_()
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;img" in shown
