"""Real runs on the demo corpus, which the gallery shows: made once, in build/docs-runs.

``python docs/tools/real_runs.py`` makes what is missing. A command is run again where its words or
serbench's source have changed since; fits come from the cache that every run has, so that only what
is new costs time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "docs-runs"
SMALL = "--profile demo --set corpus.takes=1 --set training.epochs=4"
REPORT = re.compile(r"^Report: (\S+)/report\.md$", re.MULTILINE)

STEPS = {
    "run": f"run akd transformer+kd transformer log-mel-svm entropy --dataset demo {SMALL}",
    "other-b": f"run entropy log-mel-svm --dataset demo-b {SMALL}",
    "other-c": f"run entropy log-mel-svm --dataset demo-c {SMALL}",
    "leaky": f"run entropy log-mel-svm --dataset demo-b {SMALL} --protocol leaky-random",
    "inflation": "inflation {other-b} {leaky} --output inflation",
    "ranks": "report {run} {other-b} {other-c} --output ranks",
    "ablate": f"ablate akd --dataset demo {SMALL} --only ungated",
    "explain": "explain {run} --method akd --top 5",
    "overlap": "overlap {run} --overlap 0 --overlap 1 --method akd --method transformer",
    "robustness": "robustness {run} --condition white@10 --condition gain --method akd",
    "prune": "prune {run} --method transformer --kind magnitude --amount 0.5 --epochs 1",
    "deploy": "deploy {run} --method transformer -b onnxruntime,onnxruntime-int8 --rounds 1",
    "report": "report {run} --html",
    "leaderboard": "leaderboard runs --output leaderboard",
    "corpus-check": "corpus check demo --output corpus.html",
    "export": "export {run} --method transformer --output transformer.onnx",
    "predict": "predict transformer.onnx speech",
    "audit": "audit {leaky}/utterances.csv --corpus demo-b",
    "verify": "verify {run} --no-models",
    "regress-update": "regress {run} --update --no-latency",
    "regress": "regress {run} --no-latency",
    "show": "show {run}",
    "runs": "runs",
    "folds": "folds demo",
    "list": "list datasets",
    "plugins": "plugins",
    "doctor": "doctor",
    "gc": "gc",
}
"""Commands by name, in their order; ``{NAME}`` is the folder of an earlier run."""

FAILS = {"audit": 1}
"""Exit codes of commands that find something."""

OVERLAY = "\n".join(
    f"""\
[datasets.demo-{letter}]
summary = "The demo corpus with other speakers (seed {seed})"
corpus = "demo"
params = {{ seed = {seed} }}
folds = "pairs"
teachers = ["functionals"]
"""
    for seed, letter in enumerate("bc", start=1)
)


@dataclass(frozen=True)
class Made:
    """What a command printed.

    Attributes:
        command: as a user would give it, after ``serbench``.
        source: digest of serbench's source at that time.
        output: of standard output, or of standard error where there was none.
        exit_code: of the command.
    """

    command: str
    source: str
    output: str
    exit_code: int


def made() -> dict[str, Made]:
    """What is there, by the name of the step."""
    path = FOLDER / "steps.json"
    stored = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {name: Made(**each) for name, each in stored.items()}


def run_folder(step: str) -> str:
    """The folder of the run that a step made, or of the step ``run``, from ``FOLDER``."""
    done = made()
    named = REPORT.findall(done[step].output)
    return named[0] if named else REPORT.findall(done["run"].output)[0]


def main() -> None:
    """Make what is missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(FOLDER)
    os.environ |= {"SERBENCH_CACHE": str(FOLDER / "cache"), "COLUMNS": "96"}
    Path("serbench.toml").write_text(OVERLAY, encoding="utf-8")
    source, done = _source(), made()
    _run_notebook(source, done)
    for name, template in STEPS.items():
        before = done.get(name)
        command = _filled(template, done)
        if before is None or (before.command, before.source) != (command, source):
            sys.stderr.write(f"serbench {command}\n")
            _prepare(name)
            before_s = _cpu_s()
            done[name] = _run(command, source)
            sys.stderr.write(f"  {_cpu_s() - before_s:.0f} s of CPU time\n")
            stored = {each: asdict(made) for each, made in done.items()}
            Path("steps.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")


def _run_notebook(source: str, done: dict[str, Made]) -> None:
    """The notebook of the documentation, with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    written = ROOT / "docs" / "python-api.ipynb"
    command = f"notebook {hashlib.sha256(written.read_bytes()).hexdigest()}"
    if (before := done.get("notebook")) and (before.command, before.source) == (command, source):
        return
    sys.stderr.write("docs/python-api.ipynb\n")
    notebook = nbformat.read(written, as_version=4)
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources=where).execute()
    nbformat.write(notebook, FOLDER / written.name)
    done["notebook"] = Made(command, source, "", 0)


def _filled(template: str, done: dict[str, Made]) -> str:
    places = {name: REPORT.findall(each.output) for name, each in done.items()}
    return template.format_map({name: place[0] for name, place in places.items() if place})


def _prepare(name: str) -> None:
    if name == "predict":
        import serbench

        for path in sorted(serbench.corpus("demo").utterances["path"])[::80]:
            link = Path("speech") / Path(path).name
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(path)


def _run(command: str, source: str) -> Made:
    from typer.testing import CliRunner

    from serbench.cli import app

    result = CliRunner().invoke(app, command.split(), prog_name="serbench")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code != FAILS.get(command.split(maxsplit=1)[0], 0):
        raise SystemExit(f"serbench {command}: exit code {result.exit_code}\n{result.output}")
    output = "\n".join(line.rstrip() for line in (result.stdout or result.stderr).splitlines())
    return Made(command, source, output, result.exit_code)


def _cpu_s() -> float:
    """CPU time so far, in seconds, of this process and of those that it has started and ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _source() -> str:
    """Digest of serbench's source: docstrings, comments and layout do not count."""
    from serbench.files.source import source_digest

    folders = ("serbench", "runtime", "plugins", "baselines")
    return source_digest(sorted(path for each in folders for path in (ROOT / each).rglob("*.py")))


if __name__ == "__main__":
    main()
