"""``serbench run``: methods on a corpus, through the guarded protocol."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from serbench.cli import options

HELP = """Run one or more METHODS on a dataset and compare them.

A method is a name of the registry (see `serbench list methods`), STUDENT+LOSS, or ABLATION:ROW.
Methods of one run share folds, seeds and windows, so that they are compared in pairs. What was
fitted is kept: a run that was stopped goes on where it was, and a run that shares fits with another
takes them over.

Examples:

  serbench run akd --dataset emodb

  serbench run akd vanilla-kd transformer --dataset emodb --data-dir ~/corpora/emodb

  serbench run akd --dataset emodb --teacher ~/models/whisper-base --profile quick

  serbench run transformer+akd --dataset demo --set training.epochs=20 --set loss.temperature=4

  serbench run akd --dataset emodb --pretrain-audio ~/speech

  serbench run akd --dataset ravdess --labels common-4

  serbench run akd --train emodb --test ravdess

  serbench run akd --dataset demo --canary

  serbench run akd --dataset emodb --protocol leaky-random

  serbench run akd --dataset emodb --tracker tensorboard --tracker mlflow
"""


@options.with_run_options
def command(
    asked: options.Asked,
    methods: Annotated[list[str], typer.Argument(metavar="METHODS...", show_default=False)],
    protocol: Annotated[
        str,
        typer.Option(
            help="speaker-independent; or, to show what a leak is worth, leaky-random, "
            "leaky-early-stopping, leaky-random-early-stopping, leaky-normaliser or leaky-search: "
            "marked everywhere, never compared."
        ),
    ] = "speaker-independent",
) -> None:
    """Run methods on a dataset; see HELP."""
    from serbench.cli.console import stdout
    from serbench.results.report.write import render_comparison
    from serbench.running.plan.resolve import plan_run

    registry = asked.begin()
    plan = plan_run(registry, asked.request(*methods, protocol=protocol))
    folder = asked.run(plan, registry)
    console = stdout()
    console.print(render_comparison(folder))
    console.print(f"Report: {os.path.relpath(folder / 'report.md')}", soft_wrap=True)
