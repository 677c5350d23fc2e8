"""``serbench robustness``: a run's students and teachers in noise, in rooms, over a telephone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS, DataDir, Device, RegistryFile, RunArgument, RunsFolder


def command(
    run: RunArgument = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(help="white, babble@10, gain, 8khz, room, …; repeatable. Default: all."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="Only this method's students; repeatable."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write to; default: RUN/robustness."),
    ] = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes for students; default: one per core."),
    ] = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
) -> None:
    """Print and write UA of a finished run's students and teachers under disturbed audio.

    White, pink and babble noise at 20 to 0 dB SNR, gain, an 8 kHz band, rooms. Nothing is trained
    again and nothing may be chosen by it. What is done is kept: a stopped command goes on.

    Examples:

      serbench robustness

      serbench robustness runs/emodb-akd --condition babble --condition room

      serbench robustness emodb-akd --condition white@10 --method akd --output noise

    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.cli.replayed import opened, say
    from serbench.results.report.write import check_output
    from serbench.running.execute import resolve_workers
    from serbench.running.store.find import find_run
    from serbench.studies.robustness.conditions import choose_conditions
    from serbench.studies.robustness.measure import measure
    from serbench.studies.robustness.output import render_robustness, write_robustness

    conditions = choose_conditions(condition or ())
    folder = find_run(run, runs)
    place = output or folder / "robustness"
    check_output(place, ())
    with opened(folder, registry, data_dir, device) as (replay, _):
        workers = resolve_workers(jobs, replay.device.type)
        found = measure(replay, conditions, method or (), workers)
    page = write_robustness(found, place)
    stdout().print(render_robustness(found))
    say(f"Written: {page}")
