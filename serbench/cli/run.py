"""``serbench run``: methods on a corpus, through the guarded protocol."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from serbench.cli import complete, options
from serbench.cli.made import UNCHANGED

HELP = """Run one or more METHODS on a dataset and compare them.

A method is a name of the registry (see `serbench list methods`), STUDENT+LOSS, or ABLATION:ROW.
Methods of one run share folds, seeds and windows, so that they are compared in pairs. Fits are
cached: a stopped run continues where it was, and runs share fits.

A suite is a list of methods with published figures (see `serbench list suites`). The report shows
published figures next to measured ones, and never mixes them. A suite may skip methods: the run
first names them with the reason. Name such a method to run it too.

Examples:

  serbench run akd --dataset emodb

  serbench run akd vanilla-kd transformer --dataset emodb --data-dir ~/corpora/emodb

  serbench run akd --dataset emodb --teacher ~/models/whisper-base --profile quick

  serbench run transformer+akd --dataset demo --set training.epochs=20 --set loss.temperature=4

  serbench run akd --dataset emodb --pretrain-audio ~/speech

  serbench run akd --dataset ravdess --labels common-4

  serbench run akd --train emodb --test ravdess

  serbench run akd --dataset demo --canary

  serbench run akd --dataset emodb --dry-run

  serbench run akd --dataset emodb --protocol leaky-random

  serbench run akd --dataset emodb --tracker tensorboard --tracker mlflow

  serbench run --suite table3 --dataset emodb --profile quick

  serbench run --suite table3 --dataset ravdess --only tim-net --only light-ser --skip-missing
"""


Methods = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="METHOD",
        autocompletion=complete.methods,
        show_default=False,
        help="Methods to compare: names of the registry, STUDENT+LOSS, or ABLATION:ROW.",
    ),
]
Protocol = Annotated[
    str,
    typer.Option(
        metavar="PROTOCOL",
        autocompletion=complete.protocols,
        help="speaker-independent; or, to show how much a leak inflates scores, leaky-random, "
        "leaky-early-stopping, leaky-random-early-stopping, leaky-normaliser or "
        "leaky-search. Leaky runs are marked and never compared.",
    ),
]


@options.with_run_options
def command(
    asked: options.Asked,
    methods: Methods = None,
    protocol: Protocol = "speaker-independent",
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            autocompletion=complete.suites,
            help="Run the methods of this suite.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        options.named("METHOD", "--only", help="Run only this method of the suite; repeatable."),
    ] = None,
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Leave out methods of the suite that this machine cannot run.",
        ),
    ] = False,
) -> None:
    """Run methods on a dataset; see HELP."""
    given = {
        "methods": methods or (), "protocol": protocol, "suite": suite, "only": only or (),
        "skip_missing": skip_missing, **asked.arguments,
    }  # fmt: skip
    if asked.dry_run:
        from serbench.cli.dry_run import show_dry_run

        show_dry_run(**given)
        return
    from serbench.benchmark.run import arguments_of, finished_run

    folder, unchanged = finished_run(arguments_of(**given, progress=True))
    # Imported late: a mistake in the options is reported before rich is loaded.
    from serbench.cli.console import stdout
    from serbench.cli.show import shown_table

    console = stdout()
    if unchanged:
        typer.echo(UNCHANGED, err=True)
    console.print(shown_table(folder))
    if suite is not None:
        from serbench.results.report.write import render_published

        if (table := render_published(folder)) is not None:
            console.print(table)
    console.print(f"Report: {os.path.relpath(folder / 'report.md')}", soft_wrap=True)
