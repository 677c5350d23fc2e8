from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests_support.pages import HOSTILE, write_study
from tests_support.run_maker import UNDECLARED, make_run
from typer.testing import CliRunner

from serbench.api import StoreError
from serbench.cli import app
from serbench.results.pages import traces as traced
from serbench.results.pages.page import page
from serbench.results.pages.recall import DRAWN, breakdowns
from serbench.results.pages.report import report_page
from serbench.results.pages.series import methods_of
from serbench.results.pages.write import write_html_report
from serbench.results.record import StoredStudies, stored_studies
from serbench.results.report import claims
from serbench.results.report.results import Results, load_results
from serbench.results.table.formats import percent
from serbench.results.templating import embedded_json

VOID = {"meta", "br", "img", "input", "link", "hr", "path", "line", "use", "rect"}
Change = Callable[[], Path]


@dataclass
class Parsed(HTMLParser):
    """Tags with attributes, texts by the tag that holds them, what each link points to."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def values(self, attribute: str) -> list[str]:
        return [held[attribute] for _, held in self.tags if attribute in held]

    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in {"style", "script"})


def parse(text: str) -> Parsed:
    parsed = Parsed()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


def traces(text: str) -> dict[str, list]:
    found = re.search(r'<script type="application/json" id="trace-data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def headings(text: str) -> list[str]:
    return re.findall(r"<h2 [^>]*>(.*?)</h2>", text)


def test_the_parts_stand_in_their_order_and_in_the_contents(full_page: str) -> None:
    assert headings(full_page) == [
        "Summary", "Comparison", "Confusions", "Classes, speakers, folds", "Calibration",
        "Learning curves", "A further look", "Terms and methods", "For a paper", "Certificate",
        "How to reproduce",
    ]  # fmt: skip
    nav = full_page[full_page.index("<nav") : full_page.index("</nav>")]
    assert re.findall(r">([^<]+)</a>", nav) == headings(full_page)


@pytest.mark.parametrize("name", ["full_page", "hostile_page"])
def test_a_page_is_whole_and_its_anchors_lead_somewhere(
    name: str, request: pytest.FixtureRequest
) -> None:
    parsed = parse(request.getfixturevalue(name))
    ids = Counter(parsed.values("id"))
    assert [each for each, count in ids.items() if count > 1] == []
    wanted = [each for names in parsed.values("aria-labelledby") for each in names.split()]
    assert [each for each in wanted if each not in ids] == []
    assert [each for each in parsed.values("href") if each.lstrip("#") not in ids] == []


@pytest.mark.parametrize("name", ["full_page", "hostile_page"])
def test_a_page_loads_nothing_and_runs_no_script_but_its_own(
    name: str, request: pytest.FixtureRequest
) -> None:
    text = request.getfixturevalue(name)
    parsed = parse(text)
    assert not {"img", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert not parsed.values("src")
    assert [each for each in parsed.values("href") if not each.startswith("#")] == []
    scripts = [held for tag, held in parsed.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "trace-data"}, {}]
    assert not [key for _, held in parsed.tags for key in held if key.startswith("on")]
    policy = parsed.values("content")[0]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]


def test_hostile_names_are_text_everywhere(hostile_page: str) -> None:
    parsed = parse(hostile_page)
    shown = parsed.text()
    for name in HOSTILE.values():
        assert " ".join(name.split()) in shown
        assert name not in hostile_page
    held = traces(hostile_page)
    assert HOSTILE["label"] in held["labels"]
    assert HOSTILE["speaker"] in held["speakers"]
    assert HOSTILE["method"] in [each["name"] for each in held["methods"]]


def test_embedded_json_cannot_end_its_script() -> None:
    value = {"a": "</script><!-- & \u2028", "b": [1, None, "ü"]}
    text = embedded_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_every_table_stands_under_a_caption_in_a_box_of_its_own(full_page: str) -> None:
    parsed = parse(full_page)
    tables = [held for tag, held in parsed.tags if tag == "table"]
    assert all("aria-labelledby" in held for held in tables)
    boxes = [held for _, held in parsed.tags if held.get("role") == "region"]
    scrolled = [held for held in boxes if "scroll" in held["class"]]
    assert len(scrolled) == len(tables)
    assert all(held["tabindex"] == "0" for held in boxes)


def test_traced_predictions_are_those_behind_the_confusions(
    full_page: str, results: Results
) -> None:
    held = traces(full_page)
    for method, result in zip(held["methods"], results.comparison.methods, strict=True):
        counts = np.zeros_like(result.confusion)
        for predicted in method["predicted"]:
            np.add.at(counts, (held["truth"], predicted), 1)
        assert (counts == result.confusion).all()
        assert method["run"] == results.runs[0].name
        assert len(method["seeds"]) == result.seeds


def test_a_page_of_very_many_predictions_does_not_list_them(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traced, "MOST", len(results.predictions) - 1)
    text = report_page(results)
    assert "trace-data" not in parse(text).values("id")
    assert "Select a number" not in text
    assert "predictions.parquet" in text


def test_traced_predictions_name_utterance_speaker_fold_and_confidence(
    full_page: str, results: Results
) -> None:
    held = traces(full_page)
    rows = results.predictions.set_index(["method", "seed", "utterance"])
    akd = held["methods"][0]
    for place in (0, 57, 159):
        row = rows.loc["akd", akd["seeds"][1], held["utterances"][place]]
        assert held["labels"][held["truth"][place]] == row["label"]
        assert held["speakers"][held["speaker"][place]] == row["speaker"]
        assert held["fold"][place] == row["outer"]
        assert held["labels"][akd["predicted"][1][place]] == row["predicted"]
        assert akd["confidence"][1][place] == 60


def test_counts_and_recalls_of_the_matrix_are_the_comparisons(
    full_page: str, results: Results
) -> None:
    result = results.comparison.methods[0]
    cells = re.findall(r'data-trace="m=0&amp;t=(\d+)&amp;p=(\d+)">(\d+) <', full_page)
    shown = {(int(true), int(guess)): int(count) for true, guess, count in cells}
    expected = {
        (true, guess): int(count) for (true, guess), count in np.ndenumerate(result.confusion)
    }
    assert shown == {place: count for place, count in expected.items() if count}
    recalls = re.findall(r'<td class="num" data-trace="m=0&amp;t=\d+">([\d.]+)<', full_page)
    own = [percent(result.confusion[i, i] / result.confusion[i].sum()) for i in range(5)]
    assert recalls == own * 2  # beside the matrix, and by class


def test_scores_by_speaker_and_fold_are_the_comparisons(full_page: str, results: Results) -> None:
    for result, number in zip(results.comparison.methods, range(3), strict=True):
        speakers = re.findall(rf'data-trace="m={number}&amp;s=\d+">([\d.]+)<', full_page)
        assert speakers == [percent(ua) for ua in result.speaker_ua.values()]
        folds = re.findall(rf'data-trace="m={number}&amp;f=\d+">([\d.]+)<', full_page)
        assert folds == [percent(fold.ua) for fold in result.folds]


def test_the_finding_is_the_headline_and_the_teacher_is_in_the_bullets(full_page: str) -> None:
    said = re.search(r'<p class="headline">(.*?)</p>', full_page)
    assert said
    bullets = full_page[full_page.index('<ul class="findings">') :]
    bullets = bullets[: bullets.index("</ul>")]
    assert bullets.count("<li>") == 3


def test_a_leaky_run_bears_its_mark_at_the_top_and_is_not_compared(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", protocol="leaky-random")
    text = report_page(load_results([folder]))
    mark = "LEAKY PROTOCOL leaky-random"
    body = parse(text[text.index("<body>") :].replace("</html>", "")).texts
    assert body[1][1].startswith(mark)  # after the link that skips to the content
    assert headings(text)[:2] == ["Summary", "Scores"]
    shown = parse(text).text()
    assert "ΔUA" not in shown
    assert 'class="headline"' not in text
    assert "<dt>Reference</dt>" not in text
    assert text.index('class="alarm"') < text.index("<h1>")


def test_warnings_stand_before_everything_else(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", teachers=(UNDECLARED,))
    text = report_page(load_results([folder]))
    warning = "its training corpora are undeclared"
    assert text.index('class="warnings"') < text.index(warning) < text.index('id="summary"')


def test_caveats_and_certificate_stand_once_and_tables_are_split(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", teachers=(UNDECLARED,))
    text = report_page(load_results([folder]))
    assert text.count("its training corpora are undeclared") == 1
    assert text.count("bootstrap draws of the 8 test speakers, for") == 1
    assert 'class="note">Certificate' not in text
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", text[text.index('id="comparison-table"') :])
    assert heads[:7] == ["Method", "UA", "ΔUA to akd", "p", "Verdict", "WA", "Macro-F1"]
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", text[text.index('id="details-table"') :])
    assert heads[:5] == ["Method", "Student", "Parameters", "UA over folds", "WA over folds"]


def test_terms_methods_and_references_are_explained(full_page: str) -> None:
    shown = parse(
        full_page[full_page.index('<section id="terms"') :].partition("</main>")[0]
    ).text()
    assert "Unweighted accuracy: the mean of the recalls of all classes" in shown
    assert "Chance is 20.0 % with 5 classes" in shown
    assert "Adaptive knowledge distillation into the hybrid student." in shown
    assert "@software{serbench," in shown
    assert "were evaluated on emodb (160 utterances, 8 speakers, 5 classes" in shown


def test_the_certificate_and_the_command_are_given_in_full(
    full_page: str, results: Results
) -> None:
    run = results.runs[0]
    shown = parse(full_page).text()
    for digest in (run.certificate.digest, run.certificate.plan_digest, run.plan["folds_digest"]):
        assert digest in shown
    assert run.plan["command"] in shown
    assert [check.code for check in run.certificate.checks] == re.findall(
        r'<th scope="row">(L\d+)</th>', full_page
    )
    assert re.search(r"data-copy><code>serbench run ", full_page)


def test_learning_curves_are_means_over_refits(full_page: str) -> None:
    section = full_page[full_page.index('id="loss-chart"') :]
    first = re.search(r'<th scope="row" class="num">1</th>|<th scope="row">1</th>', section)
    assert first
    cells = re.findall(r"<td[^>]*>(.+?)</td>", section[first.start() :])
    assert cells[0] == "3.25 <small>[3.1, 3.4]</small>"  # 3 / 1 + the mean of 0.1 … 0.4
    assert cells[1] == "1 <small>[1, 1]</small>"
    assert "4 refits" in section
    assert "UA on inner validation sides" in section


def test_a_run_without_histories_or_readings_leaves_those_parts_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    for path in (folder / "fits").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"history": []}))
    assert headings(report_page(load_results([folder]))) == [
        "Summary", "Comparison", "Confusions", "Classes, speakers, folds", "Calibration",
        "Terms and methods", "For a paper", "Certificate", "How to reproduce",
    ]  # fmt: skip


def test_a_study_has_a_section_with_its_sentences_figures_and_tables(full_page: str) -> None:
    assert "A further look" in headings(full_page)
    section = full_page[full_page.index('<section id="study-looked"') :]
    section = section[: section.index("</section>") + len("</section>")]
    assert '<figure class="chart" id="study-looked-looked">' in section
    assert "81.0 <small>[77.0, 84.0]</small>" in section
    assert HOSTILE["method"] not in section
    assert HOSTILE["method"] in parse(section).text()


def test_studies_of_several_runs_say_whose_they_are(copy: Change, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", {"new": 0.6}, seeds=2)
    write_study(other)
    results = load_results([copy(), other])
    records = [record for run in results.runs for record in stored_studies(run).records]
    text = report_page(results, StoredStudies(tuple(records), ()))
    assert "A further look: full" in headings(text)
    assert "A further look: other" in headings(text)
    assert max(Counter(parse(text).values("id")).values()) == 1


def test_a_study_of_an_older_version_is_named(copy: Change) -> None:
    folder = copy()
    (folder / "robustness").mkdir()
    (folder / "robustness" / "robustness.md").write_text("old")
    (run,) = load_results([folder]).runs
    shown = parse(report_page(load_results([folder]), stored_studies(run))).text()
    assert "an older version of serbench wrote them: copy/robustness" in shown


def test_claims_stand_apart_from_what_was_measured(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claims.Claim("Wonder", 2023, 0.99, None, "Somebody, 2023")
    monkeypatch.setattr(claims, "claims_of", lambda *_: (claim,))
    text = report_page(results)
    section = text[text.index('<section id="claims"') :]
    assert "Wonder" in section[: section.index("</section>")]
    assert "Wonder" not in text[: text.index('<section id="claims"')]
    assert "not checked" in section


def test_several_runs_make_one_page(full_run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", {"new": 0.6}, seeds=2)
    text = report_page(load_results([full_run, other]))
    held = traces(text)
    assert {each["name"]: each["run"] for each in held["methods"]} == {
        "akd": "full", "kd": "full", "plain": "full", "new": "other",
    }  # fmt: skip
    shown = parse(text).text()
    assert "Certificate of other" in shown
    assert "serbench run new" in shown
    parsed = Counter(parse(text).values("id"))
    assert max(parsed.values()) == 1


def test_the_same_run_gives_the_same_page(full_run: Path, full_page: str) -> None:
    results = load_results([full_run])
    assert report_page(results, stored_studies(results.runs[0])) == full_page


def test_a_page_is_of_a_size_to_send(full_page: str) -> None:
    assert len(full_page.encode()) < 700_000


def test_the_page_is_written_beside_the_report(copy: Change, tmp_path: Path) -> None:
    folder = copy()
    path = write_html_report([folder], folder)
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(StoreError, match="is the folder of a run"):
        write_html_report([folder, make_run(tmp_path / "other")], folder)


def test_the_command_writes_and_names_both(copy: Change) -> None:
    folder = copy()
    result = CliRunner().invoke(app, ["report", str(folder), "--html"])
    assert result.exit_code == 0, result.output
    assert f"Report: {folder / 'report.md'}" in result.output
    assert f"Page: {folder / 'report.html'}" in result.output
    assert (folder / "tables" / "comparison.csv").exists()


def test_the_command_writes_no_page_unasked(copy: Change) -> None:
    folder = copy()
    result = CliRunner().invoke(app, ["report", str(folder)])
    assert result.exit_code == 0, result.output
    assert not (folder / "report.html").exists()


def test_a_deployment_without_a_page_is_refused(full_run: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(full_run), "--deploy", "x.json"])
    assert result.exit_code == 2
    assert "--deploy needs --html" in result.output


def test_a_page_of_ones_own_has_contents_and_alarms_escaped() -> None:
    text = page("<T>", "base.html.j2", contents=[("a", "<A>")], alarms=["<x>"], warnings=["<y>"])
    assert [each for each in ("<T>", "<A>", "<x>", "<y>") if each in text] == []
    assert parse(text).text().count("<T>") == 2


def test_a_figure_of_many_methods_shows_the_first_and_the_best(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("many") / "run"
    names = {f"m{number}": 0.3 + 0.05 * number for number in range(8)}
    make_run(folder, names)
    results = load_results([folder])
    by_class, *_ = breakdowns(results, methods_of(results))
    shown = [key.text for key in by_class.figure.legend]
    ua = {each.method: each.pooled["ua"].value for each in results.comparison.methods}
    assert shown[0] == "m0"
    assert len(shown) == DRAWN
    left_out = set(names) - set(shown)
    assert max(ua[name] for name in left_out) <= min(ua[name] for name in shown[1:])
    assert "5 others with the highest UA" in by_class.figure.caption
    assert len(by_class.table.heads) == 2 + len(names)
