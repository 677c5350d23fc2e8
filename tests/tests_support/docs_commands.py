"""Which commands of the documentation are run, on what, and which are not, and why.

Every command of README.md, CONTRIBUTING.md and docs/*.md is either run in a workspace where the
demo corpus stands for the corpora that a reader has (``OVERLAY``, ``NAMES``), or read by the real
command line and matched by one of ``NOT_RUN``, which says why it is not run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

OVERLAY = """\
# Every corpus is a small demo corpus, and every training is short.
[datasets.demo]
corpus = "demo"
params = { speakers = 6, takes = 1 }
folds = "pairs"
teachers = ["functionals"]

[datasets.emodb]
corpus = "demo"
params = { speakers = 6, takes = 1 }
folds = "pairs"
teachers = ["functionals"]

[datasets.ravdess]
corpus = "demo"
params = { speakers = 6, takes = 1, seed = 1 }
folds = "pairs"
teachers = ["functionals"]

[students.hybrid-small]
plugin = "hybrid"
params = { stem_channels = [4, 8, 8], blocks = 1, heads = 2, fused_dim = 16 }

[profiles.demo.settings.training]
epochs = 1
"""

NAMES = {
    **dict.fromkeys(["runs/RUN", "RUN", "runs/emodb-akd", "emodb-akd", "PROPER"], "@run"),
    **dict.fromkeys(["runs/FIRST", "FIRST", "runs/EMODB"], "@run"),
    **dict.fromkeys(["runs/SECOND", "SECOND", "OTHER-RUN"], "@other"),
    "runs/RAVDESS": "@ravdess",
    "LEAKY": "@leaky",
    "DIR": "@corpus",
    "~/corpora/emodb": "@corpus",
    "akd.onnx": "@model",
    "emodb/wav": "recordings",
}
"""Words of commands, and what stands for them in the workspace."""

RUN_FOLDER = {
    r"runs/demo-akd-demo-[0-9a-f]{8}": "@run",
    r"runs/demo-akd-demo-leaky-random-[0-9a-f]{8}": "@leaky",
    r"emodb/wav/\w+\.wav": "recordings/one.wav",
}
"""The same, for the beginnings of words."""

FINDS = {r"serbench audit runs/": "the leak that the tutorial made"}
"""Beginnings of commands that end with exit code 1, with what they find."""

NOT_RUN = {
    r"serbench (run|ablate) ": "trains for minutes: tests/test_docs.py plans it",
    r"serbench deploy ": "measures for minutes: tests/studies/deploy runs it on small models",
    r"serbench (overlap|prune|robustness)( |$)": "takes minutes: tests/studies runs it",
    r"serbench corpus add ~/corpora/mine( --label .*)?$": "asks on a terminal: tests/cli runs it",
    r"serbench inflation PROPER LEAKY-RANDOM": "of four runs; with two of them it is run",
    r"serbench verify --pretrain-audio": "of a pretrained run: tests/checks/verify runs it",
    r"serbench audit (EmoBox|s3prl|my-dataset)": "on others' files: tests/checks/audit makes such",
    r"serbench regress": "with latencies it takes a minute: tests/checks/regress runs it",
    r"serbench export ": "takes a minute: tests/device/export runs it",
    r"serbench report RUN --html --deploy": "with measurements of devices that are not here",
    r"serbench registry show methods.akd-soft": "of the serbench.toml of its page",
    r"serbench runs --compare demo-": "of two runs that the page names",
    r"serbench stream .*--capacity": "measures for a minute: tests/runtime runs it",
    r"(ffmpeg|arecord|curl) ": "needs a programme, a microphone or a network",
    r"(\.venv/bin/)?pip install ": "installs into the reader's environment",
    r"python3? -m (pip|venv|build)": "makes or changes an environment",
    r"(SERBENCH_REPOSITORY=\S+ )?(\.venv/bin/mike |python -m build)": "publishes",
    r"dask ": "starts a part of a cluster: tests/running/executors starts one",
    r"(cd|export|\.) ": "changes the reader's shell",
    r"(pytest|hf download|tensorboard|mlflow) ?": "a programme of others",
    r"python benchmarks/": "measures for minutes on corpora that are not here",
    r"python3 measure.py": "on another device: tests/studies/deploy runs it",
    r"python -c ": "writes a file of the repository: a test compares it",
    r"(make \w+|\.ci/run)": "the checks themselves",
}
"""Beginnings of commands that are read but not run, with the reason."""


def written() -> Iterator[tuple[str, str]]:
    """Page and line of every command in a ``console`` or ``sh`` block."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:console|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                yield page.name, line.removeprefix("$ ")


def reason(line: str) -> str | None:
    """Why a command is not run; none where it is."""
    return next((why for start, why in NOT_RUN.items() if re.match(start, line)), None)


def in_workspace(line: str, places: dict[str, str]) -> list[str]:
    """Arguments of ``serbench`` with the workspace's names in place of the reader's.

    Args:
        line: a command.
        places: what ``@run`` and others are in the workspace.
    """
    named = (_named(word) for word in shlex.split(line, comments=True)[1:])
    return [re.sub(r"(?<![^=])@\w+", lambda name: places[name[0]], word) for word in named]


def _named(word: str) -> str:
    for pattern, place in RUN_FOLDER.items():
        word = re.sub(pattern, place, word)
    return NAMES.get(word, word)
