"""What all studies share, with a study made here and over all that are registered."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests_support.run_maker import make_run

from serbench.errors import PluginError, StoreError
from serbench.results.figure.figure import Axis, Bar, BarGroup, Bars, Figure, Panel
from serbench.results.figure.palette import style_of
from serbench.results.pages.report import report_page
from serbench.results.record import NAME, Fact, read_record, stored_studies
from serbench.results.report.results import load_results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT
from serbench.running.harness.observer import Observer
from serbench.running.store.finished import load_run
from serbench.studies.conduct import conduct
from serbench.studies.of_run import studies_of
from serbench.studies.opened import Opened
from serbench.studies.registered import STUDIES
from serbench.studies.study import Instead, Option, Shown, Study, option

every_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


@dataclass(frozen=True, slots=True)
class CountParams:
    label: tuple[str, ...] = option((), "Count this class only.")
    place: Path | None = option(None, "Somewhere else.")
    fail: bool = option(default=False, help="Fail at the end.")


class CountStudy(Study[CountParams, "dict[str, int]"]):
    """How many predictions there are of each class."""

    name = "count"
    title = "Counted <classes>"
    help = "Count.\n\nExamples:\n\n  serbench count RUN"
    params = CountParams
    replays = False
    asked = 0

    def measure(self, opened: Opened, params: CountParams) -> dict[str, int] | Instead:
        self.asked += 1
        if params.place:
            return Instead((f"Counted into {params.place}",))
        counts = opened.run.predictions["predicted"].value_counts().to_dict()
        self.certificate = opened.run.certificate
        return {str(k): int(v) for k, v in counts.items() if k in (params.label or counts)}

    def show(self, found: dict[str, int], params: CountParams) -> Shown:
        columns: list[Column[tuple[str, int]]] = [
            Column("Class", lambda row: row[0], key="class"),
            Column("Predictions", lambda row: row[1], COUNT, key="predictions"),
        ]
        table = make_table("count", "Counted predictions", columns, list(found.items()))
        groups = tuple(BarGroup(k, (Bar(k, v, style_of(0)),)) for k, v in found.items())
        figure = Figure("count", "Counted", (Panel(Bars(groups, Axis("Predictions"))),))
        return Shown(
            title="Counted",
            certificates=(self.certificate,),
            tables=(table, dataclasses.replace(table, name="again", caption="Again")),
            figures=(figure, dataclasses.replace(figure, name="again")),
            lines=("All is counted.",),
            claims=(dataclasses.replace(table, caption="Claimed"),),
            files={"more.txt": "more"},
            facts=(Fact("akd", "Count", "7", 7.0),),
            failure="a class failed" if params.fail else "",
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"akd": 0.7, "kd": 0.5})


@contextmanager
def silent(_: object) -> Iterator[Observer]:
    yield Observer()


def conducted(folder: Path, output: Path | None, **params: Any) -> tuple[CountStudy, str]:
    study, console = CountStudy(), Console(width=100, file=io.StringIO(), no_color=True)
    try:
        conduct(study, CountParams(**params), Opened((folder,)), output, console, silent)
    finally:
        text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    return study, text


@pytest.mark.usefixtures("figure_files")
def test_everything_is_written_and_printed(folder: Path) -> None:
    _, text = conducted(folder, folder / "count")
    assert {path.name for path in (folder / "count").iterdir()} == {
        *(f"count.{suffix}" for suffix in ("md", "csv", "tex", "html", "png", "pdf", "svg")),
        *(f"count-again.{suffix}" for suffix in ("png", "pdf", "svg")),
        "more.txt", "study.json",
    }  # fmt: skip
    for wanted in ("All is counted.", "Counted predictions", "Again", "neutral"):
        assert wanted in text
    assert text.endswith(f"Written: {folder / 'count' / 'count.md'}\n")
    page = (folder / "count" / "count.md").read_text()
    assert page.startswith("# Counted\n\n- All is counted.\n\n![Counted](count.png)\n")
    digest = load_run(folder, "run").certificate.digest
    for wanted in (digest, "**Again**", "Published claims", "**Claimed**"):
        assert wanted in page
    rows = (folder / "count" / "count.csv").read_text().splitlines()
    assert rows[0] == "class,predictions,certificate"
    assert (folder / "count" / "count.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_folder_it_is_printed_alone(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    _, text = conducted(folder, None)
    assert "Counted predictions" in text
    assert "Written" not in text
    assert sorted(folder.rglob("*")) == before


def test_a_folder_of_a_run_is_refused_before_measuring(folder: Path) -> None:
    study = CountStudy()
    with pytest.raises(StoreError, match="is the folder of a run"):
        conduct(study, CountParams(), Opened((folder,)), folder, Console(), silent)
    assert study.asked == 0


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_told_before_measuring(
    folder: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    study = CountStudy()
    with pytest.raises(StoreError, match=r"is a file, so .* choose another --output"):
        conduct(study, CountParams(), Opened((folder,)), tmp_path / place, Console(), silent)
    assert study.asked == 0


def test_what_is_done_in_place_of_measuring_is_said(folder: Path) -> None:
    _, text = conducted(folder, folder / "count", place=Path("there"))
    assert text == "Counted into there\n"
    assert not (folder / "count").exists()


def test_a_failure_is_told_after_everything_is_written(folder: Path) -> None:
    with pytest.raises(PluginError, match="a class failed"):
        conducted(folder, folder / "count", fail=True)
    assert (folder / "count" / "study.json").is_file()


def test_a_leaky_run_is_marked_everywhere(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.7}, protocol="leaky-random")
    conducted(folder, folder / "count")
    run = load_run(folder, "run")
    record = read_record(folder / "count" / NAME, run)
    for table in record.tables:
        assert table.caption.startswith("LEAKY PROTOCOL leaky-random")
        assert any("LEAKY" in line for line in table.warnings)
    assert all(figure.alarm.startswith("LEAKY") for figure in record.figures)
    assert (folder / "count" / "count.md").read_text().startswith("# LEAKY PROTOCOL")


def test_the_record_holds_what_a_page_shows(folder: Path) -> None:
    conducted(folder, folder / "count", label=("neutral",))
    run = load_run(folder, "run")
    found = json.loads((folder / "count" / NAME).read_text())
    assert (found["kind"], found["schema_version"]) == ("serbench study", 1)
    assert found["params"] == {"label": ["neutral"], "place": None, "fail": False}
    (record,) = stored_studies(run).records
    assert record.title == "Counted <classes>"
    assert record.runs == ("run",)
    assert record.certificates == (run.certificate.digest,)
    assert record.facts == (Fact("akd", "Count", "7", 7.0),)
    assert [row[0].text for row in record.tables[0].rows] == ["neutral"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, r"study\.json is damaged, or another version .*schema_version"),
        ({"kind": "else"}, r"another version of serbench .*kind.*`serbench count run` again"),
        ({"certificates": ["0" * 64]}, r"belongs to another run: .*`serbench count run` again"),
        ({"tables": [{}]}, "is damaged"),
    ],
)
def test_a_record_that_does_not_fit_is_told(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    conducted(folder, folder / "count")
    path = folder / "count" / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(StoreError, match=message):
        studies_of([load_run(folder, "run")])


def test_a_page_has_a_section_for_each_study(folder: Path) -> None:
    conducted(folder, folder / "count")
    results = load_results([folder])
    page = report_page(results, studies=studies_of(results.runs))
    for wanted in ('id="study-count"', "Counted &lt;classes&gt;", "All is counted.", "Again"):
        assert wanted in page
    assert page.count("<svg") > report_page(results).count("<svg")


def test_a_folder_of_an_older_version_is_told_apart(folder: Path) -> None:
    (folder / "overlap").mkdir()
    (folder / "overlap" / "overlap.md").write_text("as it was")
    results = load_results([folder])
    found = studies_of(results.runs)
    assert (found.records, found.outdated) == ((), ("run/overlap",))
    assert "an older version of serbench wrote them: run/overlap" in report_page(
        results, studies=found
    )


@every_study
def test_a_study_says_what_it_does_and_what_its_options_mean(study: Study[Any, Any]) -> None:
    assert study.title
    for field in dataclasses.fields(study.params):
        stated = field.metadata["option"]
        assert isinstance(stated, Option)
        assert stated.help.endswith((".", "…"))
    study.params()
