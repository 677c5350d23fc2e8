"""The notebook as a page."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

NOTEBOOK = Path(__file__).parents[1] / "python-api.ipynb"


def page() -> str:
    """Its cells as Markdown."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    shown = (_shown(cell) for cell in cells)
    return "\n\n".join([*shown, "[Download this notebook](python-api.ipynb){ .download }"])


def _shown(cell: nbformat.NotebookNode) -> str:
    return cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"


def led_to_page(text: str) -> str:
    """A page whose links to the notebook lead to its page, except for the one that downloads it."""
    return re.sub(r"\]\(python-api\.ipynb\)(?!\{)", "](notebook.md)", text)
