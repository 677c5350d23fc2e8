"""``serbench audit``: check other people's splits for leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from serbench.cli.findings import Json, JUnit, Markdown, checking, tell
from serbench.cli.options import RegistryFile, named

if TYPE_CHECKING:
    from serbench.api import Corpus

HELP = """Check splits for leaks, your own or other people's.

The exit code is 1 if a leak is found, else 0.

SPLITS is a file or a folder. A CSV or TSV file has the column utterance, and fold, part or both. A
folder holds EmoBox fold files, s3prl session files, or audio in train/validation/test.

Speakers and sentences come from the corpus, else from the files. If audio is given, copies (L4) and
near-duplicates (L5) are searched for. Nothing is downloaded.

Examples:

  serbench audit folds.csv --corpus emodb

  serbench audit EmoBox/data/emodb --corpus emodb --data-dir ~/corpora/emodb

  serbench audit my-dataset --json audit.json
"""

Format = Literal["auto", "csv", "emobox", "s3prl", "folder"]


CorpusName = Annotated[
    str | None,
    named(
        "DATASET",
        "--corpus",
        "--dataset",
        "-c",
        help="Dataset or corpus that the utterances belong to.",
    ),
]
AudioFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder with a local copy of the corpus, or with audio."),
]
Written = Annotated[
    Format,
    typer.Option(
        metavar="|".join(get_args(Format)),
        help="Format of the splits; auto recognises it.",
    ),
]


def command(
    splits: Annotated[
        Path, typer.Argument(metavar="SPLITS", help="A split file, or a folder of them.")
    ],
    corpus: CorpusName = None,
    data_dir: AudioFolder = None,
    format: Written = "auto",  # noqa: A002 - the option's name
    registry: RegistryFile = None,
    json: Json = None,
    junit: JUnit = None,
    markdown: Markdown = None,
) -> None:
    """Look for leaks; see HELP."""
    from serbench.benchmark.progress import progress_observer
    from serbench.checks.audit.readers import read_splits
    from serbench.checks.audit.run import audit
    from serbench.checks.output import Outputs
    from serbench.files.cache_use import using_cache
    from serbench.files.paths import cache_folder
    from serbench.running.adopt.guess import known_as
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    outputs = Outputs(json, junit, markdown)
    with checking("audit", outputs):
        plugins = load_plugins()
        made: Corpus | None = None
        entries = load_registry(plugins, registry, strict=False)
        if corpus is not None:
            corpus = entries.dataset_name(corpus)
            made = entries.make("corpora", corpus)
        read = read_splits(splits, format)
        names = list(dict.fromkeys(row.path or row.utterance for row in read.rows))
        known = known_as(names, entries) if corpus is None else None
        cache = cache_folder()
        with using_cache(cache), progress_observer(plugins.hook) as watch:
            found = audit(read, splits, made, corpus, data_dir, cache, watch.advance, known)
    tell(found, outputs)
    raise typer.Exit(found.exit_code)
