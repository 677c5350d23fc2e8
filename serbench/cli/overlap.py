"""``serbench overlap``: the same trained students, scored with other test windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[
        str | None,
        typer.Argument(help="A run's folder, or its name in --runs. Default: the newest."),
    ] = None,
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
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with a local copy of the corpus.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write. Default: overlap/ in the run's own."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="The folder that holds runs.")] = Path("runs"),
    registry: Annotated[
        Path | None, typer.Option(help="Overlay of the registry; default: ./serbench.toml.")
    ] = None,
) -> None:
    """Score a run's trained students with test windows at several overlaps.

    Nothing is trained or chosen: folds, students and the mean posterior over an utterance's windows
    stay as they were. Writes overlap.md, .csv, .tex and .png, and prints the table, which says how
    many utterances are longer than one window at all.

    Examples:

      serbench overlap runs/emodb-akd --data-dir ~/corpora/emodb

      serbench overlap emodb-akd --overlap 0 --overlap 1.5 --method akd

    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.cli.progress import progress_observer
    from serbench.overlap import (
        DEFAULT_OVERLAPS_S,
        measure_overlap,
        render_overlap,
        write_overlap,
    )
    from serbench.paths import cache_folder
    from serbench.plugins import load_plugins
    from serbench.registry import load_registry
    from serbench.replay import Replay
    from serbench.store import find_run

    folder = find_run(run, runs)
    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    with progress_observer(plugins.hook) as watch:
        replay = Replay.open(
            folder, known, plugins, data_dir=data_dir, cache=cache_folder(), watch=watch
        )  # fmt: skip
        study = measure_overlap(replay, overlap or DEFAULT_OVERLAPS_S, method or ())
    page = write_overlap(study, output or folder / "overlap")
    console = stdout()
    console.print(render_overlap(study))
    console.print(f"Written: {page}", soft_wrap=True, highlight=False, markup=False)
