"""Run the tutorial, and write what its commands print, and how long they take, into its page.

Run by ``make tutorial``, in build/tutorial. Every block without a language is the output of the
command above it. A command whose fits were there already keeps the time that the page has.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serbench.files.machine import cpu_name

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
FOLDER = ROOT / "build" / "tutorial"
COMMAND = re.compile(r"^\$ serbench (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REPORT = re.compile(r"^Report: runs/(\S+)/report\.md$", re.MULTILINE)
TIMES = re.compile(r"(?<=<!-- times -->\n).*?(?=<!-- end of times -->)", re.DOTALL)
ROW = re.compile(r"^\| `serbench (.+?)` \| (.+?) \|$", re.MULTILINE)
NOT_HERE = "emodb"


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its time.

    Attributes:
        printed: standard output; where that is empty, the last line of standard error.
        cpu_s: CPU time in seconds, of all its processes.
        fresh: its fits were made now.
    """

    printed: str
    cpu_s: float
    fresh: bool


def main() -> None:
    """Rewrite the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = PAGE.read_text("utf-8")
    times = dict(ROW.findall(text))
    shown, last = [], ""
    for block in BLOCK.finditer(text):
        if block[1] == "console":
            for command in COMMAND.findall(block[2]):
                if NOT_HERE not in command:
                    last, text = _with_names(command, text, times)
        elif not block[1]:
            shown.append(last)
    outputs = iter(shown)
    text = BLOCK.sub(lambda block: block[0] if block[1] else f"```\n{next(outputs)}\n```", text)
    PAGE.write_text(TIMES.sub(lambda _: _table(times), text), encoding="utf-8")


def _with_names(command: str, text: str, times: dict[str, str]) -> tuple[str, str]:
    """The output of a command, and the page with the name of the run that it made."""
    ran = run(_named(command))
    key = re.sub(r"runs/\S+?(?=/|$| )", "RUN", command)
    if ran.fresh or key not in times:
        times[key] = f"{ran.cpu_s:.0f} s"
    for name in REPORT.findall(ran.printed):
        text = re.sub(rf"\b{re.escape(name[:-8])}[0-9a-f]{{8}}\b", name, text)
    return ran.printed, text


def _named(command: str) -> str:
    """A command with the names that its runs have here."""
    for path in (FOLDER / "runs").glob("*"):
        command = re.sub(rf"\b{re.escape(path.name[:-8])}[0-9a-f]{{8}}\b", path.name, command)
    return command


def run(command: str) -> Ran:
    """Run ``serbench COMMAND`` as a process of its own."""
    sys.stderr.write(f"serbench {command}\n")
    serbench = Path(sys.executable).with_name("serbench")
    environment = os.environ | {"SERBENCH_CACHE": str(FOLDER / "cache"), "OMP_NUM_THREADS": "1"}
    start = _cpu_s()
    done = subprocess.run(  # noqa: S603
        [serbench, *command.split()],
        cwd=FOLDER, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    printed = done.stdout or done.stderr.strip().splitlines()[-1]
    lines = [line.rstrip() for line in printed.splitlines()]
    return Ran("\n".join(lines).strip("\n"), _cpu_s() - start, " 0 to run" not in done.stderr)


def _cpu_s() -> float:
    times: Any = os.times()
    return times.children_user + times.children_system


def _table(times: dict[str, str]) -> str:
    rows = [f"| `serbench {command}` | {spent} |" for command, spent in times.items()]
    on = f"CPU time on one {cpu_name()}, {time.strftime('%B %Y')}"
    return "\n".join([f"| Command | {on} |", "| :-- | --: |", *rows, ""])


if __name__ == "__main__":
    main()
