"""Examples of the how-tos, as a registry that they are laid into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

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
