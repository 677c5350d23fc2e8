"""``serbench ablate``: what the parts of a method are worth."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from serbench.cli import options

HELP = """Run a method with its parts taken out one by one, and tabulate what each is worth.

The rows come from the registry (see `serbench list ablations`) and make one run: the same
folds, seeds and windows, each row compared in pairs with the full method. What was fitted
is kept: an ablation that was stopped goes on where it was, and takes over every fit that
it shares with `serbench run`.

Examples:

  serbench ablate akd --dataset emodb

  serbench ablate akd --dataset demo --profile demo --only no-hint --only no-cos

  serbench ablate akd --dataset emodb --teacher whisper-base --teacher wavlm-base-plus
"""


def command(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="A method that the registry has an ablation of.")
    ],
    dataset: options.Dataset = None,
    train: options.Train = None,
    test: options.Test = None,
    labels: options.Labels = "",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ROW", help="This row alone; repeatable. Default: all."),
    ] = None,
    data_dir: options.DataDir = None,
    teacher: options.Teachers = None,
    pretrain_audio: options.PretrainAudio = None,
    profile: options.Profile = "standard",
    settings: options.Settings = None,
    canary: options.Canary = False,
    allow_pretraining_overlap: options.AllowPretrainingOverlap = False,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    out: options.Out = options.RUNS,
    registry: options.RegistryFile = None,
    allow_incomplete: options.AllowIncomplete = False,
    tracker: options.TrackerNames = None,
    verbose: options.Verbose = 0,
) -> None:
    """Run an ablation; see HELP."""
    from serbench.cli.console import configure_logging, stdout
    from serbench.running.plan.ablate import plan_ablation
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry
    from serbench.studies.ablation.output import render_ablation

    configure_logging(verbose)
    asked = options.Asked(
        dataset, train, test, labels, data_dir, teacher, pretrain_audio, profile, settings, canary,
        allow_pretraining_overlap, device, jobs, out, allow_incomplete,
        trackers=tracker,
    )  # fmt: skip
    known = load_registry(load_plugins(), registry, strict=False)
    folder = asked.run(plan_ablation(known, method, asked.request(), only or ()), known)
    console = stdout()
    console.print(render_ablation(folder))
    console.print(f"Ablation: {os.path.relpath(folder / 'ablation.md')}", soft_wrap=True)
    console.print(f"Report: {os.path.relpath(folder / 'report.md')}", soft_wrap=True)
