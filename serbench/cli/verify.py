"""``serbench verify``: recompute a run's claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.findings import Json, JUnit, Markdown, checking, tell
from serbench.cli.options import RUNS, DataDir, RegistryFile, RunArgument, RunsFolder


def command(
    run: RunArgument = None,
    data_dir: DataDir = None,
    pretrain_audio: Annotated[
        Path | None,
        typer.Option(
            "--pretrain-audio",
            metavar="FOLDER",
            help="Unlabelled audio that the run's students were pretrained on, to compare it "
            "with the corpus again.",
        ),
    ] = None,
    models: Annotated[
        bool, typer.Option(help="Predict again with the stored students; this takes longest.")
    ] = True,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
    json: Json = None,
    junit: JUnit = None,
    markdown: Markdown = None,
) -> None:
    """Recompute a run from its corpus and its plan.

    serbench reads the audio again, recomputes folds, windows, checks, certificate and tables, and
    compares them with the stored ones. Stored predictions are compared with the ledger and with
    what the stored students predict now. Give --pretrain-audio to check unlabelled audio too. The
    exit code is 1 if anything differs, else 0.

    Examples:

      serbench verify

      serbench verify runs/emodb-akd --data-dir ~/corpora/emodb

      serbench verify emodb-akd --no-models

      serbench verify emodb-akd --pretrain-audio ~/speech
    """  # noqa: D412 - typer needs the blank lines
    from serbench.benchmark.progress import progress_observer
    from serbench.checks.output import Outputs
    from serbench.checks.verify.run import verify
    from serbench.files.cache_use import using_cache
    from serbench.files.paths import cache_folder
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry
    from serbench.running.store.find import find_run

    outputs = Outputs(json, junit, markdown)
    with checking("verify", outputs):
        folder = find_run(run, runs)
        plugins = load_plugins()
        known = load_registry(plugins, registry, strict=False)
        with using_cache(cache_folder()), progress_observer(plugins.hook) as watch:
            found = verify(
                folder, known, plugins, data_dir=data_dir, cache=cache_folder(), watch=watch,
                models=models, pretrain_audio=pretrain_audio,
            )  # fmt: skip
    tell(found, outputs)
    raise typer.Exit(found.exit_code)
