"""What mkdocs calls while it builds the site: it adds the pages that are made, and leads links."""

from __future__ import annotations

import os
import re
from typing import Any

import cli_pages
import gallery
import notebook
import outside
import settings_table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ALONE = {"index.md", "gallery.md"}
"""Pages whose part of the navigation has no other page."""

CODE = re.compile(r"<code>([^<]+)</code>")
"""Code within a line, as HTML."""

HYPHENATED = re.compile(r"(?<!\S)\S{0,24}-\S{0,24}(?!\S)")
"""A word with a hyphen that fits on the narrowest screen."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The version switch is there in what mike publishes, and only there."""
    if "MIKE_DOCS_VERSION" in os.environ:
        config.extra["version"] = {"provider": "mike"}
    _add_commands(config.nav)
    return config


def _add_commands(nav: Any) -> None:
    """The pages of commands below the page of the command line."""
    for item in nav if isinstance(nav, list) else []:
        for title, inner in item.items() if isinstance(item, dict) else ():
            if inner == "cli.md":
                item[title] = [{"Overview": inner}, *cli_pages.nav()]
            else:
                _add_commands(inner)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {
        **outside.pages(),
        **cli_pages.pages(),
        "notebook.md": notebook.page(),
        "gallery.md": gallery.page(),
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    for path, figure in notebook.files().items():
        files.append(File.generated(config, path, content=figure))
    for path, picture in gallery.files().items():
        files.append(File.generated(config, path, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The text of a page as the site shows it."""
    if page.file.src_uri in ALONE:
        page.meta["hide"] = ["navigation"]
    text = outside.led_within(notebook.led_to_page(markdown))
    made = {
        "index.md": gallery.on_first_page,
        "cli.md": cli_pages.listed,
        "settings.md": settings_table.with_values,
    }
    return made.get(page.file.src_uri, str)(text)


def on_page_content(html: str, **_: Any) -> str:
    """The content of a page, in which no line of code breaks after the hyphens of an option."""

    def whole(code: re.Match[str]) -> str:
        words = HYPHENATED.sub(r'<span class="whole">\g<0></span>', code[1])
        return f"<code>{words}</code>"

    return CODE.sub(whole, html)
