"""``serbench folds``: print and export the test speakers of each outer fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.complete import datasets
from serbench.cli.options import AllowIncomplete, DataDir, Labels, RegistryFile
from serbench.errors import listed, visible
from serbench_runtime.cli.encodings import print_utf8

if TYPE_CHECKING:
    from serbench.data.corpus.table import CorpusTable
    from serbench.protocol.splits.records import Split
    from serbench.running.harness.folds import Folds

SHOWN = 40
"""Number of speakers of a fold that the table names; the CSV file has all."""

HELP = """Print the folds of a dataset, and export them.

`serbench run` uses the same folds. The CSV file has one row per utterance, with the fold that tests
it. `serbench run --set protocol.folds=FILE` and `serbench audit` read it.

Examples:

  serbench folds emodb

  serbench folds emodb --folds loso --inner

  serbench folds ravdess --labels common-4

  serbench folds emodb --csv emodb-folds.csv
"""


def command(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", autocompletion=datasets, help="Dataset or corpus.")
    ],
    data_dir: DataDir = None,
    folds: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDS",
            help="A fold set of the corpus, loso, kfold, official, or a CSV file. Default: the "
            "dataset's own.",
        ),
    ] = None,
    kfold: Annotated[int, typer.Option(metavar="N", min=2, help="Number of folds, for kfold.")] = 5,
    labels: Labels = "",
    inner: Annotated[bool, typer.Option("--inner", help="Show inner folds too.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the folds to this file; - for stdout."),
    ] = None,
    allow_incomplete: AllowIncomplete = False,
    registry: RegistryFile = None,
) -> None:
    """Print folds; see HELP."""
    from serbench.benchmark.corpora import dataset_folds, load_table
    from serbench.cli.output import print_table
    from serbench.files.atomic import write_text
    from serbench.running.harness.results import utterance_rows

    plan, table = load_table(
        dataset, labels=labels, data_dir=data_dir, allow_incomplete=allow_incomplete,
        registry=registry, progress=True,
    )  # fmt: skip
    made = dataset_folds(plan, table, folds, kfold=kfold, inner=inner)
    text = utterance_rows(made)
    if csv == Path("-"):
        print_utf8()
        typer.echo(visible(text), nl=False)
        return
    unit = table.card.unit
    columns = ("Fold", f"Test {unit}s", "Utterances", *table.labels, "In training")
    print_table(f"Folds of {plan.name}: {folds or plan.folds}", columns, _rows(made, table))
    if csv is not None:
        write_text(csv, text)
        typer.echo(f"Written: {csv}")


def _rows(folds: Folds, table: CorpusTable) -> list[Sequence[str]]:
    """Rows of every outer fold, each followed by its inner folds."""
    rows: list[Sequence[str]] = []
    for index, split in enumerate(folds.outer):
        rows.append(_row(split.name, split, table))
        rows += [_row(part.name, replace(split, test=part), table) for part in split.test_sets]
        if folds.inner:
            rows += [_row(each.name, each, table) for each in folds.inner[index]]
    return rows


def _row(name: str, split: Split, table: CorpusTable) -> Sequence[str]:
    counts = Counter(table.by_id[utterance].label for utterance in split.test.ids)
    return (
        name,
        listed(split.test.units, SHOWN),
        str(len(split.test.ids)),
        *(str(counts[label]) for label in table.labels),
        str(len(split.train.ids)),
    )
