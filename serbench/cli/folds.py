"""``serbench folds``: which speakers each outer fold tests, to read and to export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from serbench.cli.options import AllowIncomplete, DataDir, RegistryFile

if TYPE_CHECKING:
    from serbench.api import Corpus
    from serbench.corpus import CorpusTable
    from serbench.harness import Folds
    from serbench.plugins import Plugins
    from serbench.registry import Registry
    from serbench.splits import Split

HELP = """Print the folds of a dataset, and export them for others.

They are those that `serbench run` uses. The CSV has a row for each utterance with the fold that
tests it: `serbench run --set protocol.folds=FILE` takes it, `serbench audit` reads it.

Examples:

  serbench folds emodb

  serbench folds emodb --folds loso --inner

  serbench folds emodb --csv emodb-folds.csv
"""


def command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Dataset or corpus.")],
    data_dir: DataDir = None,
    folds: Annotated[
        str | None,
        typer.Option(
            help="A fold set of the corpus, loso, kfold, or a CSV file. Default: its own."
        ),
    ] = None,
    kfold: Annotated[int, typer.Option(min=2, help="Number of folds of kfold.")] = 5,
    inner: Annotated[bool, typer.Option("--inner", help="Show inner folds too.")] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write them here; - is standard output.")
    ] = None,
    allow_incomplete: AllowIncomplete = False,
    registry: RegistryFile = None,
) -> None:
    """Print folds; see HELP."""
    from serbench.atomic import write_atomically
    from serbench.cli.output import print_table
    from serbench.harness import make_folds
    from serbench.harness.results import utterance_rows
    from serbench.plugins import load_plugins
    from serbench.registry import load_registry
    from serbench.settings import ProtocolSettings

    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    wanted = folds or known.dataset(dataset).folds
    table = _table(dataset, known, plugins, data_dir, allow_incomplete)
    made = make_folds(table, wanted, ProtocolSettings(kfold=kfold), (), inner)
    text = utterance_rows(made)
    if csv == Path("-"):
        typer.echo(text, nl=False)
        return
    unit = table.card.unit
    columns = ("Fold", f"Test {unit}s", "Utterances", *table.labels, "In training")
    print_table(f"Folds of {dataset}: {wanted}", columns, _rows(made, table))
    if csv is not None:
        write_atomically(csv, text.encode())
        typer.echo(f"Written: {csv}")


def _table(
    dataset: str, known: Registry, plugins: Plugins, data_dir: Path | None, allow_incomplete: bool
) -> CorpusTable:
    """The corpus, found or fetched, and checked."""
    from functools import partial

    from serbench.cache_use import using_cache
    from serbench.cli.progress import progress_observer
    from serbench.corpus import load_corpus, locate
    from serbench.paths import cache_folder

    corpus = cast("Corpus", known.make("corpora", dataset))
    cache, path = cache_folder(), known.dataset(dataset).path
    with using_cache(cache), progress_observer(plugins.hook) as watch:
        advance = partial(watch.advance, "corpus")
        folder = locate(corpus, dataset, data_dir, cache, advance, watch.announce, path)
        return load_corpus(corpus, dataset, folder, cache / "audio", advance, allow_incomplete)


def _rows(folds: Folds, table: CorpusTable) -> list[Sequence[str]]:
    """Of every outer fold, and of its inner ones below it."""
    rows: list[Sequence[str]] = []
    for index, split in enumerate(folds.outer):
        rows.append(_row(split.name, split, table))
        if folds.inner:
            rows += [_row(each.name, each, table) for each in folds.inner[index]]
    return rows


def _row(name: str, split: Split, table: CorpusTable) -> Sequence[str]:
    counts = Counter(table.by_id[utterance].label for utterance in split.test.ids)
    return (
        name,
        ", ".join(split.test.units),
        str(len(split.test.ids)),
        *(str(counts[label]) for label in table.labels),
        str(len(split.train.ids)),
    )
