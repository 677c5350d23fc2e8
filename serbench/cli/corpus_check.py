"""``serbench corpus check``: can a corpus be trusted for a benchmark?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.complete import datasets
from serbench.cli.findings import Json, JUnit, Markdown, checking, tell
from serbench.cli.options import AllowIncomplete, DataDir, RegistryFile

if TYPE_CHECKING:
    from serbench.checks.survey.records import Survey

HELP = """Compare a corpus with its card, and look for shortcuts that a model could learn.

Every file is read. The checks cover counts, unreadable files, durations, formats, silence, clipping
and copies; whether one speaker's recordings sound alike; whether speaker, gender or sentence
predict the emotion; the folds, and what they share with their training data. The exit code is 1 if
a check fails, else 0. Do not trust scores before a failure is resolved.

Examples:

  serbench corpus check emodb

  serbench corpus check ravdess --data-dir ~/corpora/ravdess --output ravdess.html

  serbench corpus check mine --registry my.toml --folds loso
"""


def command(
    name: Annotated[
        str, typer.Argument(metavar="DATASET", autocompletion=datasets, help="Dataset or corpus.")
    ],
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write an HTML page with all evidence to this file.",
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDS",
            help="Folds to check: a fold set of the corpus, loso, kfold, or a CSV file. "
            "Default: the corpus's own.",
        ),
    ] = None,
    allow_incomplete: AllowIncomplete = False,
    registry: RegistryFile = None,
    json: Json = None,
    junit: JUnit = None,
    markdown: Markdown = None,
) -> None:
    """Check a corpus; see HELP."""
    from serbench.checks.output import Outputs
    from serbench.checks.survey.page import survey_page
    from serbench.files.atomic import write_text

    outputs = Outputs(json, junit, markdown)
    with checking("corpus check", outputs):
        found = _survey(name, data_dir, folds, allow_incomplete, registry)
        if output is not None:
            write_text(output, survey_page(found))
    tell(found.findings, outputs)
    if output is not None:
        typer.echo(f"Page: {output}", err=json == Path("-"))
    raise typer.Exit(found.findings.exit_code)


def _survey(
    name: str, data_dir: Path | None, folds: str | None, incomplete: bool, registry: Path | None
) -> Survey:
    """Find or download the corpus, and check it."""
    from functools import partial

    from serbench.benchmark.progress import progress_observer
    from serbench.checks.survey.run import survey
    from serbench.data.corpus.locate import locate
    from serbench.files.cache_use import using_cache
    from serbench.files.paths import cache_folder
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    name = known.dataset_name(name)
    spec = known.dataset(name)
    corpus = known.make("corpora", name)
    cache = cache_folder()
    with using_cache(cache), progress_observer(plugins.hook) as watch:
        advance = partial(watch.advance, "corpus")
        folder = locate(corpus, name, data_dir, cache, advance, watch.announce, spec.path)
        wanted = folds or spec.folds
        return survey(corpus, name, folder, wanted, cache, watch.advance, incomplete)
