"""The notebook as a page, with what its cells printed when ``make gallery`` ran it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat
import real_runs

NOTEBOOK = Path(__file__).parents[1] / "python-api.ipynb"
EXECUTED = real_runs.FOLDER / "python-api.ipynb"
DOWNLOAD = "[Download this notebook](python-api.ipynb){ .download }"


def cells() -> list[nbformat.NotebookNode]:
    """With outputs where the notebook as it is now was run."""
    written = nbformat.read(NOTEBOOK, as_version=4).cells
    run = nbformat.read(EXECUTED, as_version=4).cells if EXECUTED.is_file() else []
    same = [each.source for each in written] == [each.source for each in run]
    return run if same else written


def page() -> str:
    """Its cells and their outputs as Markdown."""
    shown = [part for number, cell in enumerate(cells()) for part in _shown(number, cell)]
    return "\n\n".join([*shown, DOWNLOAD])


def files() -> dict[str, bytes]:
    """Figures of its cells, by address."""
    return {
        _address(number): base64.b64decode(output.data["image/png"])
        for number, cell in enumerate(cells())
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    }


def _address(number: int) -> str:
    return f"notebook/cell-{number}.png"


def _shown(number: int, cell: nbformat.NotebookNode) -> list[str]:
    if cell.cell_type == "markdown":
        return [cell.source]
    outputs = [_output(number, each) for each in cell.get("outputs", [])]
    return [f"```python\n{cell.source}\n```", *outputs]


def _output(number: int, output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        image = f"![What the cell draws]({_address(number)})"
        return f'<div class="picture figure" markdown>\n{image}\n</div>'
    if html := data.get("text/html"):
        table = re.sub(r"<style.*?</style>|\n\s*", "", html, flags=re.DOTALL)
        return re.sub(r'<table border="1" class="dataframe">', "<table>", table)
    return f"```text\n{data.get('text/plain') or output.get('text', '')}\n```"


def led_to_page(text: str) -> str:
    """A page whose links to the notebook lead to its page, except for the one that downloads it."""
    return re.sub(r"\]\(python-api\.ipynb\)(?!\{)", "](notebook.md)", text)
