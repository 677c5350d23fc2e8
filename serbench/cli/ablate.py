"""``serbench ablate``: what each part of a method contributes."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from serbench.cli import complete, options
from serbench.cli.made import UNCHANGED

HELP = """Run a method without each of its parts, and show what each part contributes.

The rows come from the registry (see `serbench list ablations`). They make one run with the same
folds, seeds and windows. Each row is compared in pairs with the full method. Fits are cached: a
stopped ablation continues where it was, and fits are shared with `serbench run`.

Examples:

  serbench ablate akd --dataset emodb

  serbench ablate akd --dataset demo --profile demo --only no-hint --only no-cos

  serbench ablate akd --dataset emodb --teacher whisper-base --teacher wavlm-base-plus
"""


@options.with_run_options
def command(
    asked: options.Asked,
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            autocompletion=complete.ablations,
            help="A method with an ablation in the registry.",
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ROW",
            autocompletion=complete.rows,
            help="Run only this row; repeatable. Default: all.",
        ),
    ] = None,
) -> None:
    """Run an ablation; see HELP."""
    given = {"ablation": method, "only": only or (), **asked.arguments}
    if asked.dry_run:
        from serbench.cli.dry_run import show_dry_run

        show_dry_run(**given)
        return
    from serbench.benchmark.run import arguments_of, finished_run

    folder, unchanged = finished_run(arguments_of(**given, progress=True))
    if unchanged:
        typer.echo(UNCHANGED, err=True)
    from serbench.cli.console import stdout
    from serbench.studies.ablation.output import render_ablation

    console = stdout()
    console.print(render_ablation(folder))
    console.print(f"Ablation: {os.path.relpath(folder / 'ablation.md')}", soft_wrap=True)
    console.print(f"Report: {os.path.relpath(folder / 'report.md')}", soft_wrap=True)
