"""What a wheel says of serbench, and how it is cited."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import serbench

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://forge.example/owner/serbench"


def metadata() -> ProjectMetadata[PluginManager]:
    return ProjectMetadata(str(ROOT), PluginManager())


def test_links_of_the_readme_lead_to_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERBENCH_REPOSITORY", f"{REPOSITORY}/")
    made = metadata()
    pages = f"{REPOSITORY}/blob/v{made.version}"
    targets = re.findall(r"\]\(([^)\s]+)\)", made.core.readme)
    assert f"{pages}/docs/tutorial.md" in targets
    assert f"{pages}/docs/howto-corpus.md#check-a-corpus" in targets
    assert f"{pages}/docs/assets/leak.svg?raw=true" in targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert made.core.urls["Source"] == REPOSITORY
    for name, path in (("Documentation", "docs/index.md"), ("Changelog", "CHANGELOG.md")):
        assert made.core.urls[name] == f"{pages}/{path}"
        assert (ROOT / path).is_file()


def test_without_a_repository_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERBENCH_REPOSITORY", raising=False)
    made = metadata()
    assert made.core.readme == (ROOT / "README.md").read_text(encoding="utf-8")
    assert made.core.urls == {}


def test_the_citation_says_what_the_project_says() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)  # what the format asks for
    assert str(cited["version"]) == serbench.__version__
    assert cited["license"] == project["license"]
    assert cited["keywords"] == project["keywords"]
    assert cited["authors"][0]["name"] in (ROOT / "LICENSE").read_text(encoding="utf-8")
