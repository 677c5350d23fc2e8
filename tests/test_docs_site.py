"""The documentation as a site: it builds without a warning, and asks for nothing from outside."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
OUTSIDE = re.compile(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["']?(https?:)?//""")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly, without what takes runs."""
    reason = "the extra `docs` is not installed"
    pytest.importorskip("material", reason=reason)
    build = pytest.importorskip("mkdocs.commands.build", reason=reason)
    config = pytest.importorskip("mkdocs.config", reason=reason)
    folder = tmp_path_factory.mktemp("site")
    levels = {each: logging.getLogger(each).level for each in ("mkdocs", "mkdocs.plugins")}
    loaded = config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    build.build(loaded)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    return folder


def test_it_has_every_page(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    written = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    made = {"cli/run.html", "api/plugins.html", "changelog.html", "notebook.html"}
    assert written | made <= pages


def test_nothing_is_loaded_from_outside(site: Path) -> None:
    loaded = [
        f"{path.name}: {found[0]}"
        for path in site.rglob("*.html")
        for found in OUTSIDE.finditer(path.read_text("utf-8"))
    ]
    assert loaded == []


def test_the_search_knows_what_docstrings_say(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text("utf-8")
    assert "serbench.api.Student" in index
    assert "leaky-random-early-stopping" in index


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site: Path, browser: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    run = "() => axe.run(document, { resultTypes: ['violations'] })"
    size = {"width": 375, "height": 900}
    for name in ("index.html", "tutorial.html", "cli/run.html", "api/runtime.html", "gallery.html"):
        page = browser.new_page(color_scheme=scheme, viewport=size)
        page.goto((site / name).as_uri())
        page.wait_for_selector("[aria-label='Search']", state="attached")
        page.evaluate(script)
        found = page.evaluate(run)["violations"]
        assert [f"{each['id']}: {each['nodes'][0]['html']}" for each in found] == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.close()


def test_the_search_works_from_disk(site: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.click("[data-md-component=search-query]")
    page.keyboard.type("temperature")
    page.wait_for_selector(".md-search-result__item a[href*='.html']", state="attached")
    page.close()


def test_settings_have_the_values_that_their_schema_allows(site: Path) -> None:
    text = (site / "settings.html").read_text(encoding="utf-8")
    assert "number ≥ 0, &lt; 1" in text
    assert text.count('<th style="text-align: left;">Values</th>') == text.count(">Default</th>")
