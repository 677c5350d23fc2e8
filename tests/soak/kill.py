"""Kill commands at random moments (kill -9), go on, and compare with undisturbed ones.

    python tests/soak/kill.py --kills 200 --folder /tmp/kill

It goes round after round: a run that pretrains and asks a teacher, then its report, export,
deployment and a cleaning of the cache. Each command is killed again and again until it comes to its
end, and what it has written must be the same bits as without any kill. After each round, nothing
may be left in the cache that `serbench gc` does not know, or that its cleaning leaves behind.

Commands are forks of this process, which has imported everything, so that kills fall into their
work and not into imports; a backend's process of `deploy` is a real one, and loses its parent.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=kfold", "protocol.kfold=2",
    "training.epochs=2", "training.batch_size=32", "pretrain.epochs=3", "pretrain.batch_size=4",
    "student.dim=16", "student.layers=1", "student.heads=2",
)  # fmt: skip

RUN = [
    *("run", "transformer+akd", "--dataset", "demo", "--profile", "demo", "--jobs", "1"),
    *("--pretrain-audio", "speech", "--out", "runs"),
    *(word for each in SETS for word in ("--set", each)),
]
AFTER = {
    "report": ["report", "{run}", "--output", "report", "--html"],
    "export": ["export", "{run}", "--output", "model.onnx"],
    "deploy": ["deploy", "{run}", "--backends", "onnxruntime", "--rounds", "0", "-o", "deployed"],
    "gc": ["gc", "--all", "--even-used", "--yes"],
}
EVERY = {"export": 3, "deploy": 5}
"""Long commands come in every so many rounds only."""

LITTLE_S = 0.05
"""Soonest moment of a kill after a command's start."""

LATEST = 0.4
"""Latest moment of the first kill, as a part of the time that a command takes undisturbed."""

LATER = 1.15
"""How much later each next one may be: a command comes to its end on a busy machine, too."""


def begin(command: list[str], output: Path) -> int:
    """Fork into a command; its process id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.argv = ["serbench", *command]
        from serbench.cli import app

        app(prog_name="serbench")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(child: int, until_s: float | None) -> int | None:
    """The exit code of a command; None where it was killed after so many seconds."""
    end_s = None if until_s is None else time.monotonic() + until_s
    while end_s is None or time.monotonic() < end_s:
        done, status = os.waitpid(child, 0 if end_s is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def outcome(folder: Path, name: str) -> str:
    """A digest of what a command has written, without what tells times."""
    return hashlib.sha256(b"".join(_content(folder, name))).hexdigest()[:16]


def _content(folder: Path, name: str) -> Iterator[bytes]:
    if name == "run":
        (run,) = (folder / "runs").iterdir()
        yield pd.read_parquet(run / "predictions.parquet").to_csv().encode()
        yield json.dumps(json.loads((run / "certificate.json").read_text())).encode()
        for path in sorted([*run.rglob("models/**/*.safetensors"), *run.rglob("readings/**/*")]):
            if path.is_file():
                yield path.relative_to(run).as_posix().encode() + path.read_bytes()
    elif name == "report":
        for path in sorted((folder / "report").rglob("*")):
            if path.suffix in {".csv", ".tex", ".png"}:
                yield path.name.encode() + path.read_bytes()
    elif name == "export":
        yield (folder / "model.onnx").read_bytes()
    elif name == "deploy":
        found = json.loads((folder / "deployed" / "results.json").read_text())
        yield json.dumps(
            [[row["name"], row["accuracy"], row["size_bytes"]] for row in found["rows"]]
        ).encode()


def litter(cache: Path) -> list[str]:
    """What a cleaning of the cache would leave there, as if all were two days old."""
    from serbench.files.gc.choose import Rules, choose
    from serbench.files.gc.contents import scan
    from serbench.files.gc.remove import remove

    two_days_ago = time.time() - 2 * 86_400
    for path in cache.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                os.utime(path, (two_days_ago, two_days_ago))
    found = scan(cache)
    left = [f"{path}: not known" for path in found.foreign]
    going = [
        choice.entry
        for choice in choose(found.entries, Rules(), frozenset(), time.time())
        if choice.goes
    ]
    removed = remove(found.root, going)
    left += [*removed.kept, *removed.failed]
    return left + [e.path for e in scan(cache).entries if e.kind == "temporaries" or e.damage]


class Soak:
    """Rounds of commands in ``folder``, and what has been counted."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.draw = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.due: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def commands(self, number: int) -> Iterator[tuple[str, list[str]]]:
        """Each command of a round; those after the run know its folder."""
        yield "run", RUN
        (run,) = (self.folder / "runs").iterdir()
        for name, command in AFTER.items():
            if number % EVERY.get(name, 1) == 0:
                yield name, [word.format(run=run) for word in command]

    def start_round(self) -> None:
        """Empty everything but the unlabelled speech."""
        for name in ("runs", "cache", "report", "deployed"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "model.onnx").unlink(missing_ok=True)

    def undisturbed(self) -> None:
        """What each command writes when nobody kills it, and how long it takes."""
        self.start_round()
        for name, command in self.commands(0):
            began_s = time.monotonic()
            code = finish(begin(command, self.folder / "output.txt"), None)
            self.seconds[name] = time.monotonic() - began_s
            if code:
                sys.exit(f"{name} exits with {code} undisturbed; see {self.folder / 'output.txt'}")
            self.due[name] = outcome(self.folder, name)
        print(", ".join(f"{name} {s:.1f} s" for name, s in self.seconds.items()), flush=True)

    def round(self, number: int, most: int) -> None:
        """One round; nothing is killed any more after ``most`` kills in all rounds."""
        self.start_round()
        for name, command in self.commands(number):
            self.to_the_end(name, command, most)
            if self.wrong:
                return
            if name != "gc" and outcome(self.folder, name) != self.due[name]:
                self.wrong.append(f"{name} has written other bits than undisturbed")
                return
        self.wrong += [f"left behind: {each}" for each in litter(self.folder / "cache")]

    def to_the_end(self, name: str, command: list[str], most: int) -> None:
        """Kill a command at random moments until it ends before its kill comes."""
        output = self.folder / "output.txt"
        for number in itertools.count():
            latest_s = self.seconds[name] * LATEST * LATER**number
            moment_s = LITTLE_S + latest_s * self.draw.random() ** 1.5
            spare = sum(self.kills.values()) >= most
            output.unlink(missing_ok=True)
            code = finish(begin(command, output), None if spare else moment_s)
            if code is None:
                self.kills[name] += 1
                continue
            self.ends[name] += 1
            if code:
                self.wrong.append(f"{name} exits with {code}: {output.read_text()[-2000:]}")
            return


def write_speech(folder: Path) -> None:
    """Unlabelled audio: noise of two colours, of no corpus."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(6):
        x = rng.normal(0, 0.1, int(16_000 * rng.uniform(1.0, 2.0)))
        x = np.diff(x, prepend=0.0) if number % 2 else np.cumsum(x) * 0.05
        soundfile.write(folder / f"r{number}.wav", np.clip(x, -1, 1).astype(np.float32), 16_000)


def import_everything() -> None:
    """So that a fork begins with its work."""
    import torch

    torch.set_num_threads(1)
    import serbench.device.export.refit
    import serbench.results.pages.write
    import serbench.results.report.write
    import serbench.running.harness.run
    import serbench.studies.deploy.measure  # noqa: F401
    from serbench.running.plugins import load_plugins

    load_plugins()
    with io.BytesIO() as nowhere:  # the parts that are imported late
        pd.DataFrame({"a": [1]}).to_parquet(nowhere)


def main() -> None:
    """Kill so often, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/kill"))
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    write_speech(folder / "speech")
    os.chdir(folder)
    os.environ["SERBENCH_CACHE"] = str(folder / "cache")
    began_s = time.monotonic()
    import_everything()
    soak = Soak(folder, asked.seed)
    soak.undisturbed()
    rounds = 0
    while sum(soak.kills.values()) < asked.kills and not soak.wrong:
        rounds += 1
        soak.round(rounds, asked.kills)
        print(f"round {rounds}: {dict(soak.kills)}", flush=True)
    counted = ", ".join(f"{name} {soak.kills[name]}" for name in ("run", *AFTER))
    print(
        f"{sum(soak.kills.values())} kills ({counted}) in {rounds} rounds and "
        f"{time.monotonic() - began_s:.0f} s; all as undisturbed: {not soak.wrong}"
    )
    sys.exit("\n".join(soak.wrong) or 0)


if __name__ == "__main__":
    main()
