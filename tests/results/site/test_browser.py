from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests_support.measured import write_measured

from serbench.results.site.site import write_leaderboard
from serbench.running.store.run import RunStore
from serbench.studies.of_run import studies_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
PAGES = ("index.html", "corpora/one.html")


@pytest.fixture(scope="module")
def site(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With everything that a page can show, the runs' own pages too."""
    root = tmp_path_factory.mktemp("browsed")
    shutil.copytree(runs, root / "runs")
    folder = root / "runs" / "two"
    write_measured(folder, RunStore(folder).read_json("certificate")["digest"], "kd")
    found = write_leaderboard(root / "runs", root / "site", studies=studies_of)
    return found.index.parent


@pytest.fixture
def opened(browser: Browser, site: Path) -> Iterator[Page]:
    """The first page at a desktop's width; an error or a request elsewhere fails the test."""
    with watched(browser, viewport=DESKTOP) as page:
        page.goto((site / "index.html").as_uri())
        yield page


class watched:  # noqa: N801 - read as a function
    """A page whose complaints are found."""

    def __init__(self, browser: Browser, **options: object) -> None:
        self.context = browser.new_context(**options)  # pyright: ignore[reportArgumentType]
        self.found: list[str] = []

    def __enter__(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self.found.append(message.text))
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith("file:") else
            self.found.append(request.url),
        )  # fmt: skip
        return page

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert self.found == []


def column(page: Page, title: str) -> list[str]:
    """First line of each shown cell of a column of the results."""
    return page.evaluate(
        """title => {
          const table = document.querySelector("#results-table table");
          const cells = [...table.tHead.rows[0].cells];
          const at = cells.findIndex((cell) => cell.textContent.trim() === title);
          return [...table.tBodies].flatMap((body) => [...body.rows])
            .filter((row) => !row.hidden && !row.classList.contains("heading"))
            .map((row) => row.cells[at].innerText.split("\\n")[0].trim());
        }""",
        title,
    )


def of_corpus(page: Page, title: str, place: int) -> list[str]:
    """The same of the rows of one corpus."""
    named = page.locator("#results-table tr.heading").nth(place).inner_text().partition(":")[0]
    pairs = zip(column(page, "Corpus"), column(page, title), strict=True)
    return [text for corpus, text in pairs if corpus == named]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, site: Path, scheme: str, viewport: dict[str, int]
) -> None:
    with watched(browser, viewport=viewport, color_scheme=scheme) as page:
        for name in PAGES:
            page.goto((site / name).as_uri())
            found = axe.Axe().run(page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_click_on_a_heading_sorts(opened: Page) -> None:
    heading = opened.locator("#results-table thead th", has_text="UA %")
    assert heading.get_attribute("aria-sort") is None
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    for place, size in ((0, 6), (1, 2)):  # within each corpus
        values = of_corpus(opened, "UA %", place)
        assert len(values) == size
        assert values == sorted(values, key=float, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert of_corpus(opened, "UA %", 0) == sorted(of_corpus(opened, "UA %", 0), key=float)


def test_the_keyboard_sorts_too(opened: Page) -> None:
    button = opened.locator("#results-table thead th", has_text="Method").get_by_role("button")
    button.focus()
    opened.keyboard.press("Enter")
    names = of_corpus(opened, "Method", 0)
    assert names == sorted(names)
    assert len(column(opened, "Method")) == 8
    opened.keyboard.press("Space")
    assert of_corpus(opened, "Method", 0) == sorted(names, reverse=True)


def test_empty_cells_come_last_either_way(opened: Page) -> None:
    button = opened.locator("#results-table thead th", has_text="Latency").get_by_role("button")
    for _ in range(2):
        button.click()
        values = of_corpus(opened, "Latency, ms", 1)
        assert values[0] == "2.00"
        assert set(values[1:]) == {"–"}


def test_menus_and_search_filter(opened: Page) -> None:
    filters = opened.locator("#results-table .filters")
    filters.get_by_label("Corpus").select_option("two")
    assert set(column(opened, "Corpus")) == {"two"}
    assert "2 of 8" in filters.locator("output").inner_text()
    filters.get_by_label("Corpus").select_option("")
    filters.get_by_label("Folds").select_option("4 by speaker (pairs), set 2")
    assert len(column(opened, "Method")) == 2
    filters.get_by_label("Folds").select_option("")
    filters.get_by_label("Search").fill("mha")
    assert column(opened, "Method") == ["mha"]


def test_links_lead_to_runs_and_back(opened: Page) -> None:
    opened.locator("#corpora-table").get_by_role("link", name="one", exact=True).click()
    assert opened.title() == "Leaderboard: one"
    opened.locator("#folds-1-methods-table").get_by_role("link", name="mha").click()
    assert "mha" in opened.title()
    opened.go_back()
    opened.get_by_role("link", name="Leaderboard", exact=True).click()
    assert opened.title() == "Leaderboard"


def test_without_scripts_everything_is_there_to_read(browser: Browser, site: Path) -> None:
    with watched(browser, viewport=PHONE, java_script_enabled=False) as page:
        page.goto((site / "index.html").as_uri())
        assert page.locator("#results-table tbody tr:not(.heading)").count() == 8
        assert page.locator("button").count() == 0
        assert page.locator("#ranks-table").is_visible()


def test_the_first_column_stays_in_view_on_a_phone(browser: Browser, site: Path) -> None:
    with watched(browser, viewport=PHONE) as page:
        page.goto((site / "index.html").as_uri())
        first = page.locator("#results-table tbody th[scope=row]").first
        before = first.bounding_box()
        page.locator("#results-table .scroll").evaluate("box => { box.scrollLeft = 300; }")
        assert first.bounding_box() == before


def test_on_paper_no_column_is_cut_off(browser: Browser, site: Path) -> None:
    with watched(browser, viewport={"width": 1040, "height": 700}) as page:
        page.goto((site / "index.html").as_uri())
        page.emulate_media(media="print")
        table = page.locator("#results-table table").bounding_box()
        assert table is not None
        assert table["x"] + table["width"] <= 1040
        assert not page.locator("#results-table .filters").is_visible()
