"""Damage files as strangers would, and call commands on them.

    python tests/soak/fuzz.py --calls 50000
    python tests/soak/fuzz.py --case 1234          one call again, and what it said

Every call must end with exit code 0, 1 or 2: with no traceback, within the time limit, without the
network, and without a file written outside of its own output. Calls are told apart by their number
and the seed alone, so each can be made again by itself.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import importlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests_support

import material
import mutations
import typer.main
from click.testing import CliRunner

import serbench.cli
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

REGISTRY = material.REGISTRY.encode()

COMMAND = typer.main.get_command(serbench.cli.app)

A, B, C = (f"runs/{name}" for name in (material.PROPER, material.LEAKY, material.MINE))
JSON = "{plan,environment,certificate,timing}.json"


@dataclass(frozen=True)
class Target:
    """Files of which some are damaged, and commands of which one is called.

    Attributes:
        weight: how often, among all targets; what takes long is called more rarely.
        files: globs.
        calls: words of the commands; their output goes below ``out``.
    """

    name: str
    weight: int
    files: tuple[str, ...]
    calls: tuple[str, ...]


RUN_FILES = (
    *(f"{A}/plan.json",) * 5,
    *(f"{A}/certificate.json",) * 3,
    *(f"{A}/environment.json", f"{A}/timing.json", f"{A}/utterances.csv", f"{A}/fits/*.json"),
    *(f"{A}/predictions.parquet",) * 2,
)
OWN = "--output out/x"

TARGETS = (
    Target("list", 120, (*RUN_FILES, f"{A}/tables/*.csv"),
           ("runs", "runs --json", "runs --sort ua", "runs --method akd --min-ua 1")),
    Target("compare", 25, (*RUN_FILES, f"{C}/*.json"),
           ("runs --compare proper mine", "runs --compare mine proper --json",
            "runs --compare proper leaky")),
    Target("verify", 6, (*RUN_FILES, f"{A}/seal/*", f"{A}/tables/*.csv", f"{A}/report.md"),
           ("verify proper --no-models --json out/v.json",)),
    Target("verify models", 1, (f"{A}/models/*/*", f"{A}/plan.json", f"{A}/fits/*.json"),
           ("verify proper",)),
    Target("report", 3, (*RUN_FILES, f"{A}/*/study.json", f"{A}/deploy/results.json"),
           (f"report proper {OWN}", f"report proper --html {OWN}", f"report proper mine {OWN}")),
    Target("leaderboard", 1, (*RUN_FILES, f"{A}/*/study.json", f"{A}/deploy/results.json"),
           (f"leaderboard runs {OWN}",)),
    Target("inflation", 6, RUN_FILES, ("inflation proper leaky",)),
    Target("explain", 4, (*RUN_FILES, f"{A}/readings/*/*", f"{A}/utterances.csv"),
           (f"explain proper {OWN}",)),
    Target("replay", 1, (*RUN_FILES, f"{A}/models/*/*", f"{A}/fits/*.json"),
           (f"overlap proper --jobs 1 {OWN}",
            f"prune proper --jobs 1 --kind magnitude --amount 0.5 --epochs 1 {OWN}")),
    Target("deploy", 3, (*RUN_FILES, *(f"{A}/deploy/results.json",) * 8),
           (f"deploy proper --backends torch --rounds 0 --import {A}/deploy/results.json {OWN}",
            f"report proper --html --deploy {A}/deploy/results.json {OWN}")),
    Target("regress", 12, (*RUN_FILES, "golden.toml", "golden.toml", "golden.toml"),
           ("regress proper --no-latency --golden golden.toml --json out/r.json",)),
    Target("gc", 10, RUN_FILES, ("gc",)),
    Target("audit", 160, ("splits.csv", "folds.csv"),
           ("audit {file}", "audit {file} --corpus tiny --json out/a.json")),
    Target("audit emobox", 50, ("emobox/*/*",), ("audit emobox", "audit emobox --corpus tiny")),
    Target("audit s3prl", 50, ("s3prl/*/*",), ("audit s3prl",)),
    Target("folds", 10, ("folds.csv",), ("folds tiny --folds folds.csv",)),
    Target("registry", 30, ("serbench.toml",),
           ("registry check", "registry show", "list", "list datasets", "list methods")),
    Target("table", 12, ("described/table.csv", "described/*.wav"),
           ("folds described --kfold 2", "corpus check described --json out/c.json")),
    Target("predict", 200, ("sound/*",),
           ("predict model.onnx {file}", "predict model.onnx {file} --format csv",
            "predict model.onnx sound")),
    Target("model", 150, ("model.onnx",), ("predict model.onnx sound/noise.wav",)),
)  # fmt: skip


class HangError(BaseException):
    """A call that took too long."""


class NetworkError(BaseException):
    """A call that wanted to go online."""


@dataclass
class Outcome:
    """Of a call."""

    case: int
    target: str
    how: str
    command: str
    code: int = 0
    failure: str = ""
    detail: str = ""
    seconds: float = 0.0
    output: str = ""


class Watch:
    """Sees what is written to; cannot be taken off, so it is told when to look."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.looking = False
        self.outside: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.looking:
            return
        path, descriptor = arguments[0] if arguments else None, -1
        if event == "open":
            flags = arguments[2]
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return
        elif event in {"os.mkdir", "os.remove", "os.rmdir"}:
            descriptor = arguments[-1]
        elif event in {"os.rename", "os.link", "os.symlink"}:
            path, descriptor = arguments[1], arguments[-1]
        else:
            return
        if isinstance(path, (str, bytes)):
            at = f"/proc/self/fd/{descriptor}" if descriptor != -1 else "."
            place = os.path.normpath(Path(at).resolve() / os.fsdecode(path))
            if not place.startswith(self.allowed):
                self.outside.append(f"{event} {place}")


def one_call(case: int, seed: int, limit_s: float, watch: Watch, only: str = "") -> Outcome:
    """Damage, call, put back."""
    rng = random.Random(f"{seed}-{case}")
    targets = [target for target in TARGETS if only in target.name]
    (target,) = rng.choices(targets, [each.weight for each in targets])
    shutil.rmtree("out", ignore_errors=True)
    Path("out").mkdir()
    before: dict[Path, bytes] = {}
    how = []
    file = Path()
    for _ in range(rng.choice((1, 1, 1, 2))):
        found = sorted(path for path in Path().glob(rng.choice(target.files)) if path.is_file())
        file = rng.choice(found)
        before.setdefault(file, file.read_bytes())
        how.append(mutations.mutate(file, rng))
    command = rng.choice(target.calls).format(file=file)
    outcome = Outcome(case, target.name, "; ".join(how), command)
    try:
        _call(outcome, limit_s, watch)
    finally:
        for path, content in before.items():
            if content != (path.read_bytes() if path.exists() else None):
                path.write_bytes(content)
    return outcome


def _call(outcome: Outcome, limit_s: float, watch: Watch) -> None:
    watch.outside.clear()
    begun = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    faulthandler.dump_traceback_later(3 * limit_s, exit=True)
    watch.looking = True
    try:
        result = CliRunner().invoke(COMMAND, outcome.command.split())
        outcome.code, outcome.output = result.exit_code, result.output
        error = result.exception
        if error is not None and not isinstance(error, SystemExit):
            outcome.failure = "traceback"
            outcome.detail = "".join(traceback.format_exception(error))
    except HangError:
        outcome.failure, outcome.detail = "hang", traceback.format_exc()
    except NetworkError:
        outcome.failure, outcome.detail = "network", traceback.format_exc()
    finally:
        watch.looking = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        outcome.seconds = time.perf_counter() - begun
    if not outcome.failure and outcome.code not in (0, 1, 2):
        outcome.failure = f"exit code {outcome.code}"
    if not outcome.failure and outcome.code == 2 and not outcome.output.strip():
        outcome.failure = "silent"
    if not outcome.failure and "\x1b" in outcome.output:
        outcome.failure, outcome.detail = "escape", outcome.output
    if not outcome.failure and watch.outside:
        outcome.failure, outcome.detail = "written outside", "\n".join(watch.outside[:5])


def _once() -> None:
    """Plugins are loaded once, and a registry once for each content of its file."""
    load, read = cache(load_plugins), load_registry
    held: dict[object, object] = {}

    def registry(plugins: object, overlay: Path | None = None, *, strict: bool = True) -> object:
        key = (overlay, strict, Path("serbench.toml").read_bytes())
        if key not in held:
            made = read(plugins, overlay, strict=strict)  # pyright: ignore[reportArgumentType]
            if key[2] != REGISTRY:
                return made
            held[key] = made
        return held[key]

    importlib.import_module("serbench.studies.opened")
    for module in list(sys.modules.values()):
        for name, old, new in (
            ("load_plugins", load_plugins, load),
            ("load_registry", load_registry, registry),
        ):
            if module.__name__ != __name__ and vars(module).get(name) is old:
                setattr(module, name, new)


@contextlib.contextmanager
def _guarded(folder: Path) -> Iterator[Watch]:
    """No network, an alarm clock, and what is the same in every call done once."""

    def alarm(*_: object) -> None:
        raise HangError

    def connect(*arguments: object) -> None:
        raise NetworkError(str(arguments[1:]))

    signal.signal(signal.SIGALRM, alarm)
    socket.socket.connect = connect  # pyright: ignore[reportAttributeAccessIssue]
    _once()
    own = tuple(str(folder / name) for name in ("out", "cache"))
    yield Watch((*own, "/tmp", "/dev", "/proc", str(Path.home() / ".cache")))


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit-s", type=float, default=20.0, help="of a call")
    parser.add_argument("--work", type=Path, default=Path("build/fuzz"), help="made where missing")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--case", type=int, help="make this call again")
    parser.add_argument("--log", type=Path, help="failures, a JSON object a line")
    asked = parser.parse_args()
    folder, log = asked.work.resolve(), asked.log and asked.log.resolve()
    os.environ["SERBENCH_CACHE"] = str(folder / "cache")
    os.environ["MPLCONFIGDIR"] = str(folder / "cache" / "matplotlib")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        material.make(folder)
        (folder / "complete").touch()
    os.chdir(folder)
    numbers = range(asked.first, asked.first + asked.calls)
    with _guarded(folder) as watch:
        if asked.case is not None:
            outcome = one_call(asked.case, asked.seed, asked.limit_s, watch, asked.only)
            print(f"{outcome.how}: serbench {outcome.command}\n{outcome.output}{outcome.detail}")
            print(
                f"exit {outcome.code}, {outcome.seconds:.2f} s, {outcome.failure or 'no failure'}"
            )
            return
        sys.exit(_soak(numbers, asked, watch, log))


def _check_whole(limit_s: float, watch: Watch) -> None:
    """Every command must do its work on what is undamaged, or the soak says nothing."""
    for target in TARGETS:
        file = min(Path().glob(target.files[0]))
        for call in target.calls:
            shutil.rmtree("out", ignore_errors=True)
            Path("out").mkdir()
            outcome = Outcome(-1, target.name, "undamaged", call.format(file=file))
            _call(outcome, 10 * limit_s, watch)
            unequal = call.startswith(("runs --compare proper leaky", "corpus check"))
            if outcome.failure or (outcome.code != 0 and not unequal):
                said = f"{outcome.failure} {outcome.code}\n{outcome.output}{outcome.detail}"
                raise SystemExit(f"undamaged: serbench {outcome.command}: {said}")


def _soak(numbers: range, asked: argparse.Namespace, watch: Watch, log: Path | None) -> int:
    """Make all calls, and tell of them; 1 where one failed."""
    _check_whole(asked.limit_s, watch)
    codes: collections.Counter[tuple[str, object]] = collections.Counter()
    seconds: collections.Counter[str] = collections.Counter()
    failed: dict[str, list[Outcome]] = {}
    begun = time.perf_counter()
    for done, case in enumerate(numbers, start=1):
        outcome = one_call(case, asked.seed, asked.limit_s, watch, asked.only)
        codes[outcome.target, outcome.failure or outcome.code] += 1
        seconds[outcome.target] += outcome.seconds
        if outcome.failure:
            last = [line for line in outcome.detail.strip().splitlines() if line.strip()][-3:]
            kind = f"{outcome.failure}: {' | '.join(each.strip()[:120] for each in last)}"
            failed.setdefault(kind, []).append(outcome)
            if log:
                with log.open("a") as file:
                    file.write(json.dumps(vars(outcome)) + "\n")
        if done % 1000 == 0:
            spent = time.perf_counter() - begun
            found = sum(map(len, failed.values()))
            print(f"{done} calls, {found} failed, {spent:.0f} s", flush=True)
    for target in TARGETS:
        name = target.name
        row = {str(code): n for (of, code), n in sorted(codes.items(), key=str) if of == name}
        if calls := sum(row.values()):
            print(f"{name:14} {calls:6} calls {1000 * seconds[name] / calls:7.1f} ms: {row}")
    for kind, outcomes in sorted(failed.items(), key=lambda item: -len(item[1])):
        first = outcomes[0]
        print(f"\n{len(outcomes)} × {kind}\n  {first.how}: serbench {first.command}")
        print(f"  again: python tests/soak/fuzz.py --seed {asked.seed} --case {first.case}")
    found = sum(map(len, failed.values()))
    print(f"\n{len(numbers)} calls, seed {asked.seed}: {found} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
