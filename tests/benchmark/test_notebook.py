"""Progress as a notebook shows it, and the notebook of the docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from serbench.api import FoldEvent
from serbench.benchmark.notebook import NEWS, NotebookProgress
from serbench.benchmark.progress import NotebookObserver, _columns

NOTEBOOK = Path(__file__).parents[2] / "docs" / "python-api.ipynb"


class Shown:
    """Stands for IPython's display; keeps what the cell's output was last."""

    def __init__(self) -> None:
        self.content: dict[str, str] = {}

    def display(self, content: dict[str, str], **_: object) -> Shown:
        self.update(content)
        return self

    def update(self, content: dict[str, str], **_: object) -> None:
        self.content = content


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    made = Shown()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=made.display))
    return made


def test_news_and_bars_are_one_output(shown: Shown) -> None:
    hook = SimpleNamespace(serbench_fold_scored=SimpleNamespace(get_hookimpls=list))
    with NotebookProgress(*_columns()) as cell:
        observer = NotebookObserver(hook, cell)  # pyright: ignore[reportArgumentType]
        observer.advance("corpus <demo>", 3, 7)
        for outer in range(1, NEWS + 3):
            observer.fold_scored(FoldEvent("a<b", outer, 0, 0.5, 0.5, 0.5))
    html, text = shown.content["text/html"], shown.content["text/plain"]
    assert "corpus &lt;demo&gt;" in html
    assert "3/7" in html
    assert "a&lt;b, outer fold 1, seed 0: UA 50.0 %" in html
    assert "2 earlier lines" in html
    assert "<b" not in html.replace("<br", "")
    assert f"a<b, outer fold {NEWS + 2}, seed 0" in text


def test_control_characters_are_written_out(shown: Shown) -> None:
    with NotebookProgress(*_columns()) as cell:
        cell.say("a\x1b[2Jb")
    assert "a\\u001b[2Jb" in shown.content["text/html"]
    assert "\x1b" not in shown.content["text/plain"]


def test_the_notebook_of_the_docs_is_stored_without_outputs() -> None:
    """What comes out depends on the machine and on the time; it is made anew by every test."""
    nbformat = pytest.importorskip("nbformat")
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


@pytest.mark.slow
def test_the_notebook_of_the_docs_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (trains,) = (cell for cell in notebook.cells if '"training.epochs": 4' in cell.source)
    trains.source = trains.source.replace('"training.epochs": 4', '"training.epochs": 1')
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources=where
    ).execute()
    outputs = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    streams = [each for own in outputs.values() for each in own if each.get("name") == "stderr"]
    assert not streams, "a user sees no warnings"
    (run,) = [own for source, own in outputs.items() if source.startswith("run = serbench.run(")]
    progress, result = (each["data"]["text/html"] for each in run)
    assert "epochs of all fits" in progress
    assert "outer fold 4" in progress
    assert "Certificate" in result
    (figure,) = outputs['run.figure("comparison")']
    assert "image/png" in figure["data"]
    assert list(outputs.values())[-1][0]["data"]["text/plain"] == "True"


def test_importing_serbench_imports_nothing_heavy() -> None:
    code = (
        "import sys, serbench\n"
        "assert {'run', 'Run', 'corpus', 'folds', 'load'} <= set(dir(serbench))\n"
        "heavy = {'torch', 'pandas', 'numpy', 'onnxruntime', 'matplotlib', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
