"""``serbench overlap``: the same trained students, scored with other test windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS, DataDir, RegistryFile, RunArgument, RunsFolder


def command(
    run: RunArgument = None,
    overlap: Annotated[
        list[float] | None,
        typer.Option(
            help="Overlap of test windows in seconds; repeatable; differences are taken to the "
            "first. Default: 0, 0.25 and 0.5."
        ),
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help="Score this method only; repeatable.")
    ] = None,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write. Default: overlap/ in the run's own."),
    ] = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
) -> None:
    """Score a run's trained students with test windows at several overlaps.

    Nothing is trained or chosen: folds, students and the mean posterior over an utterance's windows
    stay as they were. Writes overlap.md, .csv, .tex, .html and .png, and prints the table,
    which says how many utterances are longer than one window at all.

    Examples:

      serbench overlap runs/emodb-akd --data-dir ~/corpora/emodb

      serbench overlap emodb-akd --overlap 0 --overlap 1.5 --method akd

    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.cli.replayed import opened, say
    from serbench.running.store.find import find_run
    from serbench.studies.overlap.measure import DEFAULT_OVERLAPS_S, measure_overlap
    from serbench.studies.overlap.output import render_overlap, write_overlap

    folder = find_run(run, runs)
    with opened(folder, registry, data_dir) as (replay, _):
        study = measure_overlap(replay, overlap or DEFAULT_OVERLAPS_S, method or ())
    page = write_overlap(study, output or folder / "overlap")
    stdout().print(render_overlap(study))
    say(f"Written: {page}")
