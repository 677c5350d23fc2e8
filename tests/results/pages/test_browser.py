"""The page in headless Chromium: what only a browser can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

GRAVE = {"moderate", "serious", "critical"}


@pytest.fixture(scope="module")
def urls(
    full_page: str, hostile_page: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, text in {"full": full_page, "hostile": hostile_page}.items():
        path = folder / f"{name}.html"
        path.write_text(text, encoding="utf-8")
        made[name] = path.as_uri()
    return made


class Visit:
    """A page, what it asked the network for, and what it complained of."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(url)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def violations(page: Any, *parts: str) -> list[str]:
    """In the whole page, or in parts of it (selectors); with everything unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    run = "(parts) => axe.run({ include: parts }, { resultTypes: ['violations'] })"
    found = page.evaluate(run, [[part] for part in parts or ("html",)])["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in GRAVE
    ]


def test_axe_finds_nothing_grave(browser: Any, urls: dict[str, str]) -> None:
    with Visit(browser, urls["full"], color_scheme="light", bypass_csp=True) as visit:
        visit.page.locator("#confusions button.trace").first.click()
        assert violations(visit.page) == []


def test_axe_can_read_everything_in_the_dark(browser: Any, urls: dict[str, str]) -> None:
    with Visit(browser, urls["full"], color_scheme="dark", bypass_csp=True) as visit:
        visit.page.locator("#confusions button.trace").first.click()
        assert violations(visit.page, "#summary", ".matrix", "#folds-chart", "#certificate") == []


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_a_page_asks_for_nothing_and_complains_of_nothing(
    browser: Any, urls: dict[str, str], name: str
) -> None:
    with Visit(browser, urls[name]) as visit:
        for button in visit.page.locator(
            "#confusions .matrix:nth-child(2) tr:nth-child(2) button.trace"
        ).all():
            button.click()
        assert visit.requests == [urls[name]]
        assert visit.complaints == []


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_a_phone_scrolls_the_page_in_one_direction(
    browser: Any, urls: dict[str, str], name: str
) -> None:
    with Visit(browser, urls[name], viewport={"width": 375, "height": 700}) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = 1; })")
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 375


def test_a_table_is_sorted_by_keyboard(browser: Any, urls: dict[str, str]) -> None:
    with Visit(browser, urls["full"]) as visit:
        table = visit.page.locator("#speakers-table table")
        heading = table.locator("th", has_text="akd")
        heading.locator("button").focus()
        visit.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        column = table.locator("tbody:first-of-type tr td:nth-child(3)")
        down = [float(text) for text in column.all_inner_texts()]
        assert down == sorted(down, reverse=True)
        assert len(set(down)) > 1
        visit.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert [float(text) for text in column.all_inner_texts()] == down[::-1]
        last = table.locator("tbody tr").last.inner_text()
        assert last.startswith("lowest")  # a total stays where it is


def test_a_count_leads_to_its_utterances_and_back(browser: Any, urls: dict[str, str]) -> None:
    with Visit(browser, urls["full"]) as visit:
        cell = visit.page.locator("#confusion-akd td[style][data-trace] button").nth(1)
        count = int(cell.inner_text().split()[0])
        cell.focus()
        visit.page.keyboard.press("Enter")
        panel = visit.page.locator("#confusion-akd .origin")
        assert panel.locator("tbody tr").count() == count
        assert f": {count} prediction" in panel.locator("h3").inner_text()
        assert "Run full, predictions.parquet" in panel.inner_text()
        assert cell.get_attribute("aria-expanded") == "true"
        visit.page.keyboard.press("Escape")
        assert panel.count() == 0
        assert cell.evaluate("(each) => each === document.activeElement")


def test_a_speakers_score_leads_to_that_speakers_utterances(
    browser: Any, urls: dict[str, str]
) -> None:
    with Visit(browser, urls["full"]) as visit:
        visit.page.locator("#speakers-table [data-trace] button").first.click()
        speakers = visit.page.locator("#speakers-table .origin tbody td:nth-child(2)")
        assert set(speakers.all_inner_texts()) == {"03"}
        assert speakers.count() == 40  # 20 utterances, 2 seeds


def test_without_script_everything_is_there_to_read(browser: Any, urls: dict[str, str]) -> None:
    with Visit(browser, urls["full"], java_script_enabled=False) as visit:
        assert visit.page.locator("button").count() == 0
        assert visit.page.locator("h2").count() == 11
        assert not visit.page.get_by_text("Choose a number").is_visible()
        assert visit.page.locator("details.numbers").first.locator("summary").is_visible()


def test_a_print_opens_what_is_folded_and_closes_it_again(
    browser: Any, urls: dict[str, str]
) -> None:
    with Visit(browser, urls["full"]) as visit:
        folded = visit.page.locator("#certificate details").first
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert folded.evaluate("(each) => each.open")
        visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not folded.evaluate("(each) => each.open")


def test_a_filter_keeps_rows_that_hold_the_words(browser: Any, tmp_path: Path) -> None:
    from serbench.results.pages.page import page

    text = page("t", "base.html.j2").replace(
        '<main id="content" tabindex="-1">',
        '<main id="content"><div class="scroll"><table data-sortable data-filterable><thead><tr>'
        "<th>Method</th><th data-filter>Corpus</th></tr></thead><tbody>"
        "<tr><th>akd</th><td>emodb</td></tr><tr><th>kd</th><td>emodb</td></tr>"
        "<tr><th>akd</th><td>demo</td></tr></tbody></table></div>",
    )
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    with Visit(browser, path.as_uri()) as visit:
        rows = visit.page.locator("tbody tr:visible")
        visit.page.get_by_label("Search").fill("AKD")
        assert rows.count() == 2
        visit.page.get_by_label("Corpus").select_option("demo")
        assert rows.count() == 1
        assert visit.page.locator("output").inner_text() == "1 of 3 rows"
