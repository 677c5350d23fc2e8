"""``serbench deploy``: a run's students through every backend: accuracy, latency, size, memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.options import RUNS, DataDir, RegistryFile, RunArgument, RunsFolder

if TYPE_CHECKING:
    from serbench.studies.deploy.bundle import Bundle
    from serbench.studies.deploy.study import DeployStudy

HELP = """Print and write the deployment table of a finished run.

One row for each backend and precision: latency and its ratio to PyTorch, windows per second,
size, memory, start, and UA on the outer test folds through that backend. Nothing is trained or
chosen. Models and scores are kept, so that a stopped command goes on; times are always new.

Examples:

  serbench deploy

  serbench deploy runs/emodb-akd --backends onnxruntime,onnxruntime-int8 --rounds 10

  serbench deploy emodb-akd --bundle to-jetson

  serbench deploy emodb-akd --import results.json
"""

Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backends",
        "-b",
        help="Backends of the registry, with commas or repeatable; each must be able to run "
        "here. Default: all; those that cannot are listed with their reason.",
    ),
]
BundleFolder = Annotated[
    Path | None,
    typer.Option(
        help="Write models and a script for another device into this new folder, and measure "
        "nothing here."
    ),
]
Imports = Annotated[
    list[Path] | None,
    typer.Option(
        "--import", help="results.json of another device, for rows of its own; repeatable."
    ),
]


def command(
    run: RunArgument = None,
    backends: Backends = None,
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="Whose students. Default: the run's first.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of which seed.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of every process.")] = 1,
    rounds: Annotated[
        int, typer.Option(min=0, help="Rounds of measurements; 0: no times, accuracy alone.")
    ] = 5,
    bundle: BundleFolder = None,
    import_: Imports = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write to; default: RUN/deploy."),
    ] = None,
    data_dir: DataDir = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
) -> None:
    """Print and write the deployment table of a finished run; see HELP."""
    from serbench.api import PluginError, SerbenchError
    from serbench.cli.replayed import opened, say
    from serbench.results.report.write import check_output
    from serbench.running.store.find import find_run
    from serbench.studies.deploy.backends import choose_backends
    from serbench.studies.deploy.bundle import Bundle, write_bundle
    from serbench.studies.deploy.output import write_deploy
    from serbench.studies.deploy.study import Request, measure_deployment

    if bundle and import_:
        message = "--bundle writes for another device and --import reads from one: give one of them"
        raise SerbenchError(message)
    folder = find_run(run, runs)
    place = output or folder / "deploy"
    check_output(place, ())
    with opened(folder, registry, data_dir) as (replay, known):
        chosen = choose_backends(known, backends or ())
        if bundle:
            made = write_bundle(replay, chosen, bundle, method, seed)
        else:
            request = Request(
                backends=chosen, method=method, seed=seed, threads=threads, rounds=rounds,
                imports=tuple(import_ or ()),
            )  # fmt: skip
            made = measure_deployment(replay, request)
    if isinstance(made, Bundle):
        _tell_bundle(made)
        return
    page = write_deploy(made, place)
    _print(made)
    say(f"Written: {page}")
    if backends and made.failed:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in made.failed)
        raise PluginError(f"backends that you named failed: {reasons}")


def _print(study: DeployStudy) -> None:
    from serbench.cli.console import stdout
    from serbench.results.table.console import console_table
    from serbench.studies.deploy.tables import deploy_tables

    for table in deploy_tables(study):
        stdout().print(console_table(table))


def _tell_bundle(bundle: Bundle) -> None:
    from serbench.cli.replayed import say

    say(
        f"Written: {bundle.folder} with {', '.join(bundle.models)}",
        *(f"Left out: {name}: {reason}" for name, reason in bundle.left_out.items()),
        "Its README.txt says what to do on the other device.",
    )
