"""The gallery: what serbench prints, draws and writes, from the runs of ``real_runs``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import real_runs

PICTURES = real_runs.FOLDER / "pictures"
SCHEMES = ("light", "dark")
MARKER = re.compile("<!-- gallery: .*? -->")


@dataclass(frozen=True)
class Printed:
    """What a command prints.

    Attributes:
        step: of ``real_runs.STEPS``.
        text: what a reader sees in it.
    """

    step: str
    text: str


@dataclass(frozen=True)
class Drawn:
    """A figure that a command saves.

    Attributes:
        step: of ``real_runs.STEPS``, that saves it.
        path: of the PNG file; ``RUN`` is the run that the step made, or that of the step ``run``.
        text: what a reader sees in it.
    """

    step: str
    path: str
    text: str

    @property
    def source(self) -> Path:
        """The file."""
        return real_runs.FOLDER / self.path.replace("RUN", real_runs.run_folder(self.step))


@dataclass(frozen=True)
class Page:
    """A part of a page, as Chromium shows it.

    Attributes:
        step: that writes the page.
        path: of the page, as in ``Drawn``.
        part: the CSS selector of what is shown; empty: the top of the page.
        text: what a reader sees in it.
    """

    step: str
    path: str
    part: str
    text: str

    source = Drawn.source

    @property
    def name(self) -> str:
        """Of its pictures."""
        return "-".join(filter(None, [self.step, Path(self.path).stem, self.part.strip("#")]))


Item = Printed | Drawn | Page

ITEMS: dict[str, tuple[Item, ...]] = {
    "A run": (
        Printed("run", "`serbench run` prints the comparison and the path of the report."),
        Drawn("run", "RUN/figures/ua.png", "UA of each method with its 95 % confidence interval."),
        Drawn("run", "RUN/figures/flops.png", "UA against the cost of the students."),
        Drawn("run", "RUN/figures/confusion-akd.png", "A confusion matrix for each method."),
    ),
    "The page of a run": (
        Page("report", "RUN/report.html", "", "`serbench report --html` writes one page of a run."),
        Page(
            "report", "RUN/report.html", "#comparison", "Every method compared with the first one."
        ),
        Page(
            "report", "RUN/report.html", "#confusions", "A click on a count lists its utterances."
        ),
        Page("report", "RUN/report.html", "#calibration", "Accuracy by confidence."),
        Page("report", "RUN/report.html", "#learning", "Every term of the loss over the epochs."),
        Page("report", "RUN/report.html", "#certificate", "The checks for leaks."),
    ),
    "Several runs": (
        Printed("ablate", "`serbench ablate` shows what each part of a method contributes."),
        Drawn("ablate", "RUN/figures/ablation.png", "The same as a figure."),
        Printed("inflation", "`serbench inflation` shows what a leak adds to the scores."),
        Drawn("inflation", "inflation/inflation.png", "The same as a figure."),
        Printed("ranks", "`serbench report` ranks methods over several corpora."),
        Drawn("ranks", "ranks/ranks.png", "Average ranks and the critical difference."),
        Printed("runs", "`serbench runs` lists stored runs."),
    ),
    "A leaderboard": (
        Page("leaderboard", "leaderboard/index.html", "", "`serbench leaderboard` shows all runs."),
        Page("leaderboard", "leaderboard/corpora/demo.html", "", "The page of a corpus."),
    ),
    "Studies of a run": (
        Printed("explain", "`serbench explain` shows when a method trusts its teacher."),
        Drawn("explain", "RUN/explain/explain.png", "The gate over training."),
        Printed("overlap", "`serbench overlap` scores a run with other test windows."),
        Drawn("overlap", "RUN/overlap/overlap.png", "UA by overlap."),
        Printed("robustness", "`serbench robustness` scores a run in noise and at other levels."),
        Drawn("robustness", "RUN/robustness/robustness.png", "UA by condition."),
        Printed("prune", "`serbench prune` makes students smaller."),
        Drawn("prune", "RUN/prune/prune.png", "UA by the size that is left."),
    ),
    "On a device": (
        Printed(
            "deploy", "`serbench deploy` measures latency, size and UA of a student on this device."
        ),
        Drawn("deploy", "RUN/deploy/deploy.png", "UA against latency."),
        Printed("export", "`serbench export` writes a student of a run as an ONNX file."),
        Printed("predict", "`serbench predict` classifies recordings with this file."),
    ),
    "A corpus": (
        Printed("list", "`serbench list datasets` lists the datasets that serbench knows."),
        Printed("folds", "`serbench folds` shows the folds of a corpus."),
        Printed(
            "corpus-check", "`serbench corpus check` looks for shortcuts that a model could learn."
        ),
        Page("corpus-check", "corpus.html", "", "Its page, with all evidence."),
    ),
    "Checks": (
        Printed("audit", "`serbench audit` finds the leak in the folds of a leaky run."),
        Printed(
            "verify", "`serbench verify` computes the numbers of a run again and compares them."
        ),
        Printed("regress", "`serbench regress` compares a run with a reference run."),
    ),
    "Housekeeping": (
        Printed("doctor", "`serbench doctor` shows what serbench finds on a machine."),
        Printed("plugins", "`serbench plugins` lists plugins."),
        Printed("gc", "`serbench gc` shows which files of the cache can be deleted."),
    ),
}
"""What is shown, by heading."""

INTRODUCTION = """\
# Gallery

Every page, table and figure here was made by the commands above them, on the
[demo corpus](tutorial.md): a small corpus of artificial voices. Training was short, so the scores
are low. The gallery shows the output of serbench; its scores say nothing about the methods.
"""

MISSING = (
    "This page is empty, because Chromium was not found when the site was built. `make docs` makes "
    "runs and pictures if Chromium is installed; `make gallery` makes the runs without it.\n"
)
NO_PICTURE = "*There is no picture of this page, because Chromium was not found.*\n"


def items(kind: type[Item]) -> Iterator[Item]:
    """All items of one kind."""
    return (item for each in ITEMS.values() for item in each if isinstance(item, kind))


def page() -> str:
    """The gallery as Markdown, with what is there."""
    done = real_runs.made()
    if not done:
        return f"{INTRODUCTION}\n{MISSING}"
    parts = [INTRODUCTION]
    for heading, shown in ITEMS.items():
        parts.append(f"## {heading}\n")
        parts += [_shown(item, done) for item in shown if item.step in done]
    return "\n".join(parts)


def on_first_page(text: str) -> str:
    """``index.md`` with a picture of a run's page, and the way to the gallery."""
    first = next(items(Page))
    taken = (PICTURES / f"{first.name}-{SCHEMES[0]}.png").is_file()
    picture = _pictures(first) if taken and first.step in real_runs.made() else ""
    link = "The [gallery](gallery.md) shows what serbench prints, draws and writes."
    return MARKER.sub(lambda _: f"{link}\n\n{picture}", text)


def files() -> dict[str, Path]:
    """Pictures that are there, by address."""
    done = real_runs.made()
    drawn = {_address(item): item.source for item in items(Drawn) if item.step in done}
    taken = {f"gallery/{path.name}": path for path in PICTURES.glob("*.png")}
    return {address: path for address, path in (drawn | taken).items() if path.is_file()}


def _address(item: Drawn) -> str:
    return f"gallery/{item.step}-{Path(item.path).name}"


def _shown(item: Item, done: dict[str, real_runs.Made]) -> str:
    if isinstance(item, Printed):
        made = done[item.step]
        return f"{item.text}\n\n```console\n$ serbench {made.command}\n{made.output}\n```\n"
    if isinstance(item, Drawn):
        image = f"![{item.text}]({_address(item)})"
        return f'{item.text}\n\n<div class="picture figure" markdown>\n{image}\n</div>\n'
    return f"{item.text}\n\n{_pictures(item)}"


def _pictures(page: Page) -> str:
    names = {scheme: f"{page.name}-{scheme}.png" for scheme in SCHEMES}
    images = [
        f"![{page.text}](gallery/{name}#only-{scheme})"
        for scheme, name in names.items()
        if (PICTURES / name).is_file()
    ]
    return f'<div class="picture" markdown>\n{"".join(images)}\n</div>\n' if images else NO_PICTURE
