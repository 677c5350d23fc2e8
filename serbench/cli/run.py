"""``serbench run``: methods on a corpus, through the guarded protocol."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

HELP = """Run one or more METHODS on a dataset and compare them.

A method is a name of the registry (see `serbench list methods`), or STUDENT+LOSS. Methods of one
run share folds, seeds and windows, so that they are compared in pairs. What was fitted is kept: a
run that was stopped goes on where it was, and a run that shares fits with another takes them over.

Examples:

  serbench run akd --dataset emodb

  serbench run akd vanilla-kd transformer --dataset emodb --data-dir ~/corpora/emodb

  serbench run akd --dataset emodb --teacher ~/models/whisper-base --profile quick

  serbench run transformer+akd --dataset demo --set training.epochs=20 --set loss.temperature=4

  serbench run akd --dataset demo --canary

  serbench run akd --dataset emodb --protocol leaky-random
"""


def command(
    methods: Annotated[list[str], typer.Argument(metavar="METHODS...", show_default=False)],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Dataset or corpus.")],
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with a local copy of the corpus.")
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="Teacher of the registry, or a folder with an encoder; repeatable."),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="quick, standard, paper, or your own.")
    ] = "standard",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change any setting; repeatable."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="speaker-independent; or, to show what a leak is worth, leaky-random, "
            "leaky-early-stopping or leaky-normaliser: marked everywhere, never compared."
        ),
    ] = "speaker-independent",
    canary: Annotated[
        bool,
        typer.Option(
            "--canary",
            help="First run everything on permuted labels, 5 times and cheaply: "
            "what then beats chance has a leak.",
        ),
    ] = False,
    allow_pretraining_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-pretraining-overlap",
            help="Go on with a teacher that was trained on this corpus; every table says so.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Fits side by side; default: one per core."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that run folders are made in.")] = Path("runs"),
    registry: Annotated[
        Path | None, typer.Option(help="Overlay of the registry; default: ./serbench.toml.")
    ] = None,
    allow_incomplete: Annotated[
        bool, typer.Option("--allow-incomplete", help="Go on with a corpus that lacks files.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv: everything.")
    ] = 0,
) -> None:
    """Run methods on a dataset; see HELP."""
    from serbench.cli.console import configure_logging, stdout
    from serbench.cli.progress import progress_observer
    from serbench.execute import resolve_device, resolve_workers
    from serbench.harness import Resources, run
    from serbench.paths import cache_folder
    from serbench.plan import Request, plan_run
    from serbench.plugins import load_plugins
    from serbench.registry import load_registry
    from serbench.report import render_comparison, write_report

    configure_logging(verbose)
    plugins = load_plugins()
    sets = [f"protocol.name={protocol}"]
    sets += ["protocol.canary=5"] if canary else []
    sets += ["protocol.allow_pretraining_overlap=true"] if allow_pretraining_overlap else []
    sets += settings or []
    request = Request(dataset, tuple(methods), profile, tuple(teacher or ()), tuple(sets))
    plan = plan_run(load_registry(plugins, registry, strict=False), request)
    chosen = resolve_device(device)
    resources = Resources(
        runs=out,
        cache=cache_folder(),
        device=chosen,
        workers=resolve_workers(jobs, chosen),
        data_dir=data_dir,
        allow_incomplete=allow_incomplete,
        command=shlex.join(["serbench", *sys.argv[1:]]),
        plugins=plugins.loaded,
    )
    with progress_observer(plugins.hook) as watch:
        folder = run(plan, resources, watch)
    write_report(folder)
    console = stdout()
    console.print(render_comparison(folder))
    console.print(f"Report: {os.path.relpath(folder / 'report.md')}", soft_wrap=True)
