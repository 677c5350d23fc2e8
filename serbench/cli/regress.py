"""``serbench regress``: a run compared with a golden file, for continuous integration."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.findings import Json, JUnit, Markdown, checking, tell
from serbench.cli.options import RUNS, DataDir, RegistryFile, RunArgument, RunsFolder

if TYPE_CHECKING:
    from serbench.checks.regress.command import Bench, Update

HELP = """Compare a finished run with a golden file, for continuous integration.

The exit code is 0 if the run passes, 1 if it fails, and 2 for wrong input.

UA and WA of each method are compared with those of the reference run, in pairs over the same
speakers. A check fails if the drop is significantly greater than the margin, or greater than the
limit. Latency is divided by that of a reference model, measured alternately in the same job. Size
is compared with the reference's. The golden file holds reference, margins and limits; --update
writes it. --update trains nothing, and first says how long it will take.

Examples:

  serbench regress demo-akd --update

  serbench regress demo-akd

  serbench regress runs/demo-akd --golden tests/golden.toml --junit junit.xml --no-latency

  serbench regress demo-akd --update --backends onnxruntime,onnxruntime-int8

  serbench regress demo-akd --reference released/akd.onnx
"""


Golden = Annotated[Path, typer.Option("--golden", "-g", metavar="FILE", help="The golden file.")]
Updating = Annotated[
    bool,
    typer.Option(
        "--update",
        help="Write the run's results to the golden file, and show the changes. Margins, "
        "tolerances and entries of an old file stay.",
    ),
]
Latency = Annotated[
    bool, typer.Option(help="Measure latency and size with the golden file's backends.")
]
Added = Annotated[
    list[str] | None,
    typer.Option(
        "--backends",
        "-b",
        metavar="BACKEND",
        help="With --update: backends to add, separated by commas or repeated. Default for a "
        "new file: onnxruntime.",
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Exported model whose latency others are divided by. Default: a fixed graph.",
    ),
]
Rounds = Annotated[
    int,
    typer.Option(
        metavar="N", min=5, help="Rounds in which reference and backends are timed alternately."
    ),
]


def command(
    run: RunArgument = None,
    golden: Golden = Path("golden.toml"),
    update: Updating = False,
    latency: Latency = True,
    backends: Added = None,
    reference: Reference = None,
    rounds: Rounds = 8,
    data_dir: DataDir = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
    json: Json = None,
    junit: JUnit = None,
    markdown: Markdown = None,
) -> None:
    """Compare a run with a golden file; see HELP."""
    from serbench.checks.output import Outputs
    from serbench.checks.regress.command import Update, check_run, update_golden
    from serbench.errors import SerbenchError
    from serbench.running.store.find import find_run

    if update and (json or junit or markdown):
        raise SerbenchError("--update compares nothing: leave out --json, --junit and --markdown")
    if backends and not (update and latency):
        raise SerbenchError(
            "--backends adds backends to the golden file, so it needs --update and --latency. "
            "Without it, the file's own backends are measured"
        )
    outputs = Outputs(json, junit, markdown)
    with ExitStack() as stack:
        if not update:
            stack.enter_context(checking("regress", outputs))
        folder = find_run(run, runs)
        bench = None
        if latency:
            bench = _bench(stack, folder, registry, data_dir, reference, rounds)
        if update:
            found = update_golden(folder, golden, backends or (), bench, typer.echo)
        else:
            found = check_run(folder, golden, bench)
    if isinstance(found, Update):
        _tell_update(found)
        return
    tell(found, outputs)
    raise typer.Exit(found.exit_code)


def _bench(
    stack: ExitStack,
    folder: Path,
    registry: Path | None,
    data_dir: Path | None,
    reference: Path | None,
    rounds: int,
) -> Bench:
    """The tools of a measurement; the corpus is read only when needed."""
    from serbench.benchmark.progress import progress_observer
    from serbench.checks.regress.command import Bench
    from serbench.files.cache_use import using_cache
    from serbench.files.paths import cache_folder
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry
    from serbench.running.replay.run import Replay

    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    cache = cache_folder()
    stack.enter_context(using_cache(cache))
    watch = stack.enter_context(progress_observer(plugins.hook))

    def open_replay() -> Replay:
        return Replay.open(folder, known, plugins, data_dir=data_dir, cache=cache, watch=watch)

    return Bench(known, open_replay, reference, rounds)


def _tell_update(update: Update) -> None:
    from serbench.cli.output import print_table

    if update.changes:
        title = f"{update.path}: changes"
        print_table(title, ("What", "Old", "New"), update.changes)
    else:
        typer.echo("Nothing has changed.")
    for warning in update.warnings:
        typer.echo(f"Warning: {warning}.")
    typer.echo(f"Written: {update.path}. Review and commit it.")
