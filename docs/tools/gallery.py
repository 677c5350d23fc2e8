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
        Printed("run", "`serbench run` prints the comparison, and where the report is."),
        Drawn("run", "RUN/figures/ua.png", "Each method's UA, with its interval and its folds."),
        Drawn("run", "RUN/figures/flops.png", "UA against what the students cost."),
        Drawn("run", "RUN/figures/confusion-akd.png", "A confusion matrix for each method."),
    ),
    "The page of a run": (
        Page("report", "RUN/report.html", "", "`serbench report --html` writes one page of a run."),
        Page("report", "RUN/report.html", "#comparison", "Every method against the first."),
        Page(
            "report", "RUN/report.html", "#confusions", "Each count opens the utterances behind it."
        ),
        Page("report", "RUN/report.html", "#calibration", "How far confidence can be trusted."),
        Page("report", "RUN/report.html", "#learning", "Every term of the loss over the epochs."),
        Page("report", "RUN/report.html", "#certificate", "What was checked for leaks."),
    ),
    "Several runs": (
        Printed("ablate", "`serbench ablate` shows what each part of a method contributes."),
        Drawn("ablate", "RUN/figures/ablation.png", "The same as a figure."),
        Printed("inflation", "`serbench inflation` shows what a leak adds to the scores."),
        Drawn("inflation", "inflation/inflation.png", "The same as a figure."),
        Printed("ranks", "`serbench report` of runs on several corpora ranks the methods."),
        Drawn("ranks", "ranks/ranks.png", "Average ranks and the critical difference."),
        Printed("runs", "`serbench runs` lists the runs that are stored."),
    ),
    "A leaderboard": (
        Page("leaderboard", "leaderboard/index.html", "", "`serbench leaderboard` shows all runs."),
        Page("leaderboard", "leaderboard/corpora/demo.html", "", "The page of a corpus."),
    ),
    "Studies of a run": (
        Printed("explain", "`serbench explain` says where a method trusts its teacher."),
        Drawn("explain", "RUN/explain/explain.png", "The gate over training."),
        Printed("overlap", "`serbench overlap` scores a run with other test windows."),
        Drawn("overlap", "RUN/overlap/overlap.png", "UA by overlap."),
        Printed("robustness", "`serbench robustness` scores a run in noise and at other levels."),
        Drawn("robustness", "RUN/robustness/robustness.png", "UA by condition."),
        Printed("prune", "`serbench prune` makes students smaller."),
        Drawn("prune", "RUN/prune/prune.png", "UA by what is left."),
    ),
    "On a device": (
        Printed("deploy", "`serbench deploy` says what a student costs on this device."),
        Drawn("deploy", "RUN/deploy/deploy.png", "UA against latency."),
        Printed("export", "`serbench export` takes a student out of a run."),
        Printed("predict", "`serbench predict` classifies recordings with it."),
    ),
    "A corpus": (
        Printed("list", "`serbench list datasets` says what is known by name."),
        Printed("folds", "`serbench folds` shows the folds of a corpus."),
        Printed("corpus-check", "`serbench corpus check` looks for what a model could cheat with."),
        Page("corpus-check", "corpus.html", "", "Its page, with all evidence."),
    ),
    "Checks": (
        Printed("audit", "`serbench audit` finds the leak of a leaky run's folds."),
        Printed("verify", "`serbench verify` makes a run's numbers anew."),
        Printed("regress", "`serbench regress` compares a run with golden results."),
    ),
    "Housekeeping": (
        Printed("doctor", "`serbench doctor` shows what serbench finds on a machine."),
        Printed("plugins", "`serbench plugins` lists plugins."),
        Printed("gc", "`serbench gc` shows what of the cache can go."),
    ),
}
"""What is shown, by heading."""

INTRODUCTION = """\
# Gallery

Every page, table and figure here was made by the commands above them, on the
[demo corpus](tutorial.md): a small corpus of artificial voices. Training was short, so the scores
are low. They show what serbench makes, and say nothing about methods.
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
