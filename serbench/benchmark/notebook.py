"""Progress in a notebook: messages and bars in the cell's output, without widgets."""

from __future__ import annotations

import io
import threading
from html import escape

from rich.console import Console
from rich.progress import Progress, ProgressColumn

from serbench_runtime.cli.disarm import disarm

EVERY_S = 0.5
"""Seconds between two drawings."""

WIDTH = 110
"""Width of the output, in characters."""

NEWS = 10
"""Number of messages that are shown; earlier ones are hidden."""

STYLE = "margin:0;line-height:1.35;font-family:monospace;white-space:pre-wrap"


class NotebookProgress(Progress):
    """Bars in one output of the running cell, which a saved notebook keeps.

    The bars of rich need ipywidgets in a notebook, and create a new output for each message.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        super().__init__(*columns, console=_recorder(), auto_refresh=False)
        self.news: list[str] = []
        self.ended = threading.Event()
        self.drawing = threading.Thread(target=self._draw_now_and_then, daemon=True)

    def start(self) -> None:
        """Open the output."""
        from IPython.display import display

        self.handle = display(self._content(), display_id=True, raw=True)
        self.drawing.start()

    def stop(self) -> None:
        """Draw once more, so that the last state remains in the notebook."""
        self.ended.set()
        self.drawing.join()
        self._draw()

    def refresh(self) -> None:
        """Do nothing: the output is drawn at intervals, not after every change."""

    def say(self, message: str) -> None:
        """Print a line above the bars."""
        self.news.append(disarm(message))

    def _draw_now_and_then(self) -> None:
        while not self.ended.wait(EVERY_S):
            self._draw()

    def _draw(self) -> None:
        if self.handle is not None:
            self.handle.update(self._content(), raw=True)

    def _content(self) -> dict[str, str]:
        """The output as HTML, and as text for viewers without HTML."""
        console = _recorder()
        console.print(self.get_renderable())
        bars = console.export_html(inline_styles=True, clear=False, code_format="{code}")
        news = [*self.news]
        earlier, latest = news[:-NEWS], news[-NEWS:]
        parts = [_pre("\n".join(map(escape, latest))), _pre(disarm(bars))]
        if earlier:
            text = _pre("\n".join(map(escape, earlier)))
            title = f"<summary>{len(earlier)} earlier lines</summary>"
            parts.insert(0, f"<details>{title}{text}</details>")
        plain = "\n".join([*news, disarm(console.export_text())])
        return {"text/html": "".join(parts), "text/plain": plain}


def _recorder() -> Console:
    """A console that writes to no file and only records."""
    return Console(
        file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False, force_terminal=True,
        color_system="truecolor", legacy_windows=False,
    )  # fmt: skip


def _pre(text: str) -> str:
    return f'<pre style="{STYLE}">{text}</pre>' if text.strip() else ""
