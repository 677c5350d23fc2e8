from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests_support.corpora import change_plan, make_corpus_run
from tests_support.pages import write_study

from serbench.results.compare.ranks import rank_methods
from serbench.results.compare.records import Estimate
from serbench.results.record import stored_studies
from serbench.results.report.ranks import Contender, CorpusScores, Ranking
from serbench.results.site.boards import Ranked
from serbench.results.site.collect import Collection
from serbench.results.site.pages import index_page
from serbench.results.site.site import write_leaderboard
from serbench.results.site.tables import Links
from serbench.running.store.run import RunStore

pytestmark = pytest.mark.usefixtures("plain_pages")

EVIL = "\"><img src=x onerror=alert(1)>'</script><b>&amp;{{7*7}}"


@dataclass
class Seen(HTMLParser):
    """Elements, attributes and text of a page."""

    elements: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def seen(path: Path) -> Seen:
    page = Seen()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def words(page: Seen) -> str:
    return " ".join(" ".join(page.text).split())


@pytest.fixture(scope="module")
def site(collection: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serbench.results.site.site.collect", lambda *_: collection)
        return write_leaderboard(Path("runs"), tmp_path_factory.mktemp("site")).index.parent


def section(path: Path, name: str) -> str:
    """Text of a section of the first page; empty where it is not there."""
    found = re.search(rf'<section id="{name}".*?</section>', path.read_text(), re.DOTALL)
    page = Seen()
    page.feed(found.group() if found else "")
    return words(page)


def test_every_link_leads_somewhere_on_the_site(site: Path) -> None:
    pages = [site / "index.html", *sorted((site / "corpora").iterdir())]
    for path in pages:
        links = [link for link in seen(path).values("href") if not link.startswith("#")]
        assert len(links) >= 3
        for link in links:
            assert not re.match(r"[a-z]+:|/", link), link
            assert (path.parent / link).resolve().is_file(), link
            assert (path.parent / link).resolve().is_relative_to(site.resolve())


def test_every_page_is_reached_from_the_first(site: Path) -> None:
    found, open_pages = set(), [site / "index.html"]
    while open_pages:
        path = open_pages.pop().resolve()
        if path not in found:
            found.add(path)
            links = seen(path).values("href") if path.suffix == ".html" else []
            open_pages += [path.parent / link for link in links if not link.startswith("#")]
    assert found == {path.resolve() for path in site.rglob("*") if path.is_file()}


def test_nothing_is_loaded(site: Path) -> None:
    for path in (site / "index.html", *(site / "corpora").iterdir()):
        page = seen(path)
        assert not {"link", "img", "iframe", "object", "embed"} & set(page.elements)
        assert page.values("src") == []
        assert "url(" not in path.read_text()


def test_a_leaky_run_stands_apart(site: Path) -> None:
    index = site / "index.html"
    assert "all-heard" in section(index, "leaky")
    assert "LEAKY PROTOCOLS: broken on purpose, not for comparison" in section(index, "leaky")
    assert "test speakers seen in training" in section(index, "leaky")
    for name in ("results", "corpora", "ranks", "problems"):
        assert "all-heard" not in section(index, name), name
    corpus = site / "corpora" / "one.html"
    assert "all-heard" in section(corpus, "leaky")
    assert "all-heard" not in section(corpus, "folds-1")
    assert section(site / "corpora" / "two.html", "leaky") == ""


def test_what_is_not_listed_is_told(site: Path) -> None:
    text = section(site / "index.html", "problems")
    for name in ("stopped", "nameless", "two-copied"):
        assert name in text
    assert "the run has not finished" in text


def test_rows_say_what_a_reader_looks_for(site: Path, collection: Collection) -> None:
    text = section(site / "index.html", "results")
    entry = next(each for each in collection.entries if each.label == "one-more")
    ua = next(e for e in entry.results.comparison.students if e.method == "akd").pooled["ua"]
    assert f"{100 * ua.value:.1f} [{100 * ua.low:.1f}, {100 * ua.high:.1f}]" in text
    for words_of in (entry.digest[:12], "hybrid-small", "0.391 M", "4 by speaker (pairs), set 2"):
        assert words_of in text
    assert "8 trained methods of 4 runs on 2 corpora." in words(seen(site / "index.html"))


def test_sets_of_folds_are_told_apart(site: Path) -> None:
    path = site / "corpora" / "one.html"
    first, second = section(path, "folds-1"), section(path, "folds-2")
    assert "one-first" in first
    assert "one-more" in first
    assert "one-other-folds" not in first
    assert "one-other-folds" in second
    assert "one-more" not in second
    assert "2 sets of runs with different" in words(seen(path))
    assert "highest UA" in first
    assert re.search(r"better|worse|no significant difference", first)
    assert "corrected for 3 comparisons (Holm)" in first


def test_ranks_say_how_they_were_chosen(site: Path) -> None:
    text = section(site / "index.html", "ranks")
    assert "Left out of the ranks: mha (not run on two)" in text
    assert "Scores play no part in these choices." in text
    assert "one: 4 by speaker (pairs), set 1, folds digest" in text


def test_ranks_that_do_not_differ_have_no_diagram(site: Path) -> None:
    text = section(site / "index.html", "ranks")
    assert "No significant difference between the methods over these corpora" in text
    assert 'class="diagram"' not in (site / "index.html").read_text()


def test_ranks_that_differ_have_a_diagram_and_words_for_it() -> None:
    uas = {"akd": 0.9, "kd": 0.8, "hybrid": 0.7}
    held = {
        name: (Contender(SimpleNamespace(pooled={"ua": Estimate(ua, ua, ua)}), {}),)  # pyright: ignore[reportArgumentType]
        for name, ua in uas.items()
    }
    names = ("one", "two", "three")
    corpora = {name: CorpusScores(name, name, name, held, (), ()) for name in names}
    ranking = Ranking(corpora, rank_methods(dict.fromkeys(names, uas)), (), ())
    text = index_page((), Ranked(ranking, ()), (), Links({}, {}), "leaderboard.json")
    assert 'class="diagram"' in text
    assert "Critical difference" in text
    assert "no critical-difference diagram" not in text


def test_rows_are_grouped_by_corpus_and_say_how_they_were_trained(site: Path) -> None:
    text = (site / "index.html").read_text()
    table = text[text.index('id="results-table"') :].partition("</table>")[0]
    groups = re.findall(r'<tr class="heading"><th[^>]*>([^<:]+)', table)
    assert groups == ["one", "two"]
    heads = re.findall(r"<th scope=\"col\"[^>]*>([^<]+)<", table)
    assert {"Profile", "Epochs"} <= set(heads)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    assert len(rows) == 1 + 8
    assert all(">standard<" in row and ">60<" in row for row in rows[1:])


def test_a_single_run_needs_no_comparison(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "runs" / "a", "one", {"akd": 0.9})
    site = write_leaderboard(tmp_path / "runs", tmp_path / "site").index.parent
    text = section(site / "corpora" / "one.html", "folds-1")
    assert "ΔUA" not in text
    assert section(site / "index.html", "ranks") == ""
    assert "1 trained method of 1 run on 1 corpus." in words(seen(site / "index.html"))


def test_leaky_runs_alone_make_a_site(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "runs" / "a", "one", {"akd": 0.9}, protocol="leaky-random")
    site = write_leaderboard(tmp_path / "runs", tmp_path / "site").index.parent
    assert section(site / "index.html", "results") == ""
    assert "leaky-random" in section(site / "index.html", "leaky")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    skill = {EVIL: 0.9, "kd": 0.5, "teacher:" + EVIL: 0.9}
    for number in range(2):
        make_corpus_run(root / f"<b>{number}&\"'", f"{EVIL}{number}", skill)
        plan = RunStore(root / f"<b>{number}&\"'").plan()
        plan["methods"][0]["student"] = EVIL
        change_plan(root / f"<b>{number}&\"'", methods=plan["methods"], folds=EVIL,
                    dataset={"title": EVIL})  # fmt: skip
    make_corpus_run(root / EVIL.replace("/", "-"), f"{EVIL}0", {EVIL: 0.4}, protocol="leaky-random")
    shutil.copytree(root / "<b>0&\"'", root / "<i>copied")
    site = write_leaderboard(root, tmp_path / "site").index.parent
    assert all(re.fullmatch(r"[a-z0-9._-]+", path.name) for path in (site / "corpora").iterdir())
    for path in (site / "index.html", *(site / "corpora").iterdir()):
        page = seen(path)
        assert page.elements.count("script") == 1
        assert not {"img", "b", "i"} & set(page.elements)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert "49" not in re.findall(r"amp;(\d+)", path.read_text())
        assert EVIL in "".join(page.text)
        for link in page.values("href"):
            assert link.startswith("#") or (path.parent / link).resolve().is_file()


# ── Studies ──────────────────────────────────────────────────────────────────────────────────────


def test_facts_of_studies_stand_in_columns_of_their_own(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "two", tmp_path / "runs" / "two")
    write_study(folder)
    found = write_leaderboard(
        tmp_path / "runs", tmp_path / "site", studies=lambda runs: stored_studies(runs[0])
    )
    site = found.index.parent
    for path, name in ((site / "index.html", "results"), (site / "corpora/two.html", "folds-1")):
        text = section(path, name)
        assert "Latency, ms" in text
        assert text.count("2.50 ratio 0.25") == 1  # of akd, and not of kd
        assert "Latency: of the fastest backend." in text


def test_without_studies_there_are_no_columns_for_them(site: Path) -> None:
    assert "Latency" not in (site / "index.html").read_text()
