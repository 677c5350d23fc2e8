"""``serbench prune``: a run's students made smaller, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import (
    RUNS,
    DataDir,
    Device,
    Jobs,
    RegistryFile,
    RunArgument,
    RunsFolder,
)

HELP = """Print and write how small the students of a finished run can be, and the UA that is left.

Each outer fold's student is pruned, fine-tuned for a few epochs on its own training side, and
scored on its test side: the smallest weights set to 0 (magnitude), or attention heads, or
channels and hidden units taken out. What is done is kept: a stopped command goes on.

Examples:

  serbench prune

  serbench prune runs/emodb-akd --kind heads --kind channels --amount 0.5

  serbench prune emodb-akd --method akd --epochs 10 --output small
"""


def command(
    run: RunArgument = None,
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", help="Whose students; default: the run's first method."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="magnitude, heads, channels; repeatable. Default: all that can be."),
    ] = None,
    amount: Annotated[
        list[float] | None,
        typer.Option(help="Share to prune, 0 … 1; repeatable. Default: 0.25, 0.5 and 0.75."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of fine-tuning after the cut.")] = 5,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the fine-tuning. Default: a tenth of the method's own.")
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Students of this seed of the run; repeatable. Default: the first."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write to; default: RUN/prune."),
    ] = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Jobs = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
) -> None:
    """Print and write how small a run's students can be; see HELP."""
    from serbench.cli.console import stdout
    from serbench.cli.replayed import opened, say
    from serbench.results.report.write import check_output
    from serbench.running.execute import resolve_workers
    from serbench.running.store.find import find_run
    from serbench.studies.prune.measure import measure_pruning
    from serbench.studies.prune.network import AMOUNTS, check_amounts, check_kinds
    from serbench.studies.prune.output import render_pruning, write_pruning
    from serbench.studies.prune.students import Tuning

    kinds, amounts = check_kinds(kind or ()), check_amounts(amount or AMOUNTS)
    tuning = Tuning(epochs, learning_rate)
    tuning.check()
    folder = find_run(run, runs)
    place = output or folder / "prune"
    check_output(place, ())
    with opened(folder, registry, data_dir, device) as (replay, _):
        workers = resolve_workers(jobs, replay.device.type)
        study = measure_pruning(replay, method, kinds, amounts, tuning, seed or (), workers)
    page = write_pruning(study, place)
    stdout().print(render_pruning(study))
    say(f"Written: {page}")
