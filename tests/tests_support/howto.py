"""Examples of the documentation: registries and packages that stand there."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from serbench.api import Corpus
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

DOCS = Path(__file__).parents[2] / "docs"


def described_corpus(page: str, dataset: str, folder: Path) -> Corpus:
    """The corpus of the one TOML example of ``page`` that has the dataset; ``folder`` is for it."""
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"))
    (example,) = (block for block in blocks if f"[datasets.{dataset}]" in block)
    overlay = folder / "serbench.toml"
    overlay.write_text(example, encoding="utf-8")
    return cast("Corpus", load_registry(load_plugins(), overlay).make("corpora", dataset))


def documented_package(
    page: Path, package: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The package that a page shows file by file, written below ``folder`` and imported."""
    block = re.compile(rf"(?ms)^```python\n# ({package}/\S+\.py)\n(.*?)^```$")
    for path, code in block.findall(page.read_text(encoding="utf-8")):
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code, encoding="utf-8")
        name = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        del sys.modules[name]  # so that the import is undone after the test
    monkeypatch.syspath_prepend(folder)
    return import_module(package)
