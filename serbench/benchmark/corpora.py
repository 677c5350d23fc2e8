"""``serbench.corpus`` and ``serbench.folds``: the data of runs, and its folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import pandas as pd

from serbench.api import CorpusCard
from serbench.benchmark.arguments import PathLike, place
from serbench.benchmark.progress import progress_observer
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.files.cache_use import using_cache
from serbench.files.paths import cache_folder
from serbench.protocol.splits.records import Split
from serbench.running.harness.folds import Folds, make_folds
from serbench.running.harness.inputs import load_dataset
from serbench.running.plan.dataset import DatasetPlan, plan_dataset
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.settings import ProtocolSettings

CARD = ("language", "licence", "elicitation", "unit", "home")
"""Fields of a card that a notebook shows, besides title and classes."""


@dataclass(frozen=True, eq=False, repr=False)
class LoadedCorpus:
    """A corpus that was found, read and checked. A notebook shows its card and its table.

    Attributes:
        name: the dataset's name in the registry.
        card: facts that the corpus declares about itself: title, licence, classes, fold sets, …
        utterances: one row per utterance: ``utterance`` (its id), ``speaker``, ``session``,
            ``label``, ``text``, ``gender``, ``intensity``, ``take``, ``official`` (the corpus's own
            split), ``duration_s`` (seconds), ``sample_rate_hz`` and ``channels`` of the file,
            ``path``, and ``pcm_sha256`` of the decoded audio.
        folder: the folder with its files.
        digest: sha256 over ids, labels, speakers and audio; the same on every machine.
        incomplete: missing parts, in sentences; empty if the corpus is complete.
    """

    name: str
    card: CorpusCard
    utterances: pd.DataFrame
    folder: Path
    digest: str
    incomplete: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order that posteriors use."""
        return self.card.labels

    def __repr__(self) -> str:
        rows = self.utterances
        speakers = rows["speaker"].nunique()
        size = f"{len(rows)} utterances, {speakers} speakers, {len(self.labels)} classes"
        return f"<LoadedCorpus {self.name}: {size}>"

    def _repr_html_(self) -> str:
        """HTML for notebooks: the card, and the table as pandas shows it."""
        shown = {
            "utterances": len(self.utterances),
            "speakers": self.utterances["speaker"].nunique(),
            "classes": ", ".join(self.labels),
            **{key: getattr(self.card, key) for key in CARD},
            **({"incomplete": " ".join(self.incomplete)} if self.incomplete else {}),
        }
        facts = " · ".join(f"{key}: {escape(str(value))}" for key, value in shown.items() if value)
        filled = self.utterances.drop(columns=["path", "pcm_sha256"]).dropna(axis=1, how="all")
        table = filled.to_html(max_rows=10, border=0)
        return f"<div><p><strong>{escape(self.card.title)}</strong></p><p>{facts}</p>{table}</div>"


def corpus(
    dataset: str,
    *,
    data_dir: PathLike | None = None,
    labels: str = "",
    allow_incomplete: bool = False,
    registry: PathLike | None = None,
    progress: bool | None = None,
) -> LoadedCorpus:
    """Find, read and check a corpus, as every run does first.

    Args:
        dataset: a dataset or corpus; see ``serbench.datasets()``.
        data_dir: folder with a local copy. Default: serbench searches for one, then downloads the
            corpus if that is allowed.
        labels: a label map, such as ``common-4``. Default: the corpus's own labels.
        allow_incomplete: accept a corpus that lacks files.
        registry: a file that extends the registry. Default: ``./serbench.toml``, if it exists.
        progress: whether progress is shown. Default: in a notebook and at a terminal.

    Raises:
        RegistryError: an unknown name; the message suggests similar names.
        CorpusError: the corpus is not available, or differs from its card.

    Examples:
        >>> emodb = serbench.corpus("emodb", data_dir="~/corpora/emodb")  # doctest: +SKIP
        >>> emodb.utterances.groupby("label")["duration_s"].mean()  # doctest: +SKIP
    """
    _, table = load_table(
        dataset, labels=labels, data_dir=data_dir, allow_incomplete=allow_incomplete,
        registry=registry, progress=progress,
    )  # fmt: skip
    return LoadedCorpus(
        name=table.name,
        card=table.card,
        utterances=pd.DataFrame([_row(each) for each in table.utterances]),
        folder=table.folder,
        digest=table.digest,
        incomplete=table.incomplete,
    )


def folds(
    dataset: str,
    folds: str | None = None,
    *,
    kfold: int = 5,
    inner: bool = False,
    labels: str = "",
    data_dir: PathLike | None = None,
    allow_incomplete: bool = False,
    registry: PathLike | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Training and test utterances of each fold of a dataset, as runs use them.

    Args:
        dataset: a dataset or corpus; see ``serbench.datasets()``.
        folds: a fold set of the corpus, ``loso``, ``kfold``, ``official``, or a CSV file. Default:
            the dataset's own.
        kfold: number of folds of ``kfold``.
        inner: also return the inner folds, which settings are chosen on.
        labels: a label map, such as ``common-4``. Default: the corpus's own labels.
        data_dir: folder with a local copy. Default: serbench searches for one, then downloads the
            corpus if that is allowed.
        allow_incomplete: accept a corpus that lacks files.
        registry: a file that extends the registry. Default: ``./serbench.toml``, if it exists.
        progress: whether progress is shown. Default: in a notebook and at a terminal.

    Returns:
        One row per utterance in each partition of each fold: ``fold`` (``outer-1``,
            ``outer-1/inner-2``), ``partition`` (``train``; ``test``, or ``validation`` of inner
            folds), ``speaker``, ``session``, ``utterance``, ``label``.

    Raises:
        RegistryError: an unknown name; the message suggests similar names.
        CorpusError: the corpus is not available, or differs from its card.
        SplitError: such folds cannot be made from this corpus.

    Examples:
        >>> made = serbench.folds("emodb", "loso")  # doctest: +SKIP
        >>> made[made["partition"] == "test"].groupby("fold")["speaker"].unique()
        ... # doctest: +SKIP
    """
    plan, table = load_table(
        dataset, labels=labels, data_dir=data_dir, allow_incomplete=allow_incomplete,
        registry=registry, progress=progress,
    )  # fmt: skip
    made = dataset_folds(plan, table, folds, kfold=kfold, inner=inner)
    splits = [
        split
        for index, outer in enumerate(made.outer)
        for split in (outer, *(made.inner[index] if made.inner else ()))
    ]
    return pd.DataFrame([row for split in splits for row in _sides(split, table)])


def load_table(
    dataset: str,
    *,
    labels: str,
    data_dir: PathLike | None,
    allow_incomplete: bool,
    registry: PathLike | None,
    progress: bool | None,
) -> tuple[DatasetPlan, CorpusTable]:
    """A dataset's plan and table; see ``corpus``."""
    plugins = load_plugins()
    known = load_registry(plugins, place(registry), strict=False)
    plan = plan_dataset(known, dataset, (), labels, {})
    cache = cache_folder()
    with using_cache(cache), progress_observer(plugins.hook, shown=progress) as watch:
        table = load_dataset(plan, place(data_dir), cache, watch, allow_incomplete=allow_incomplete)
    return plan, table


def dataset_folds(
    plan: DatasetPlan, table: CorpusTable, folds: str | None, *, kfold: int, inner: bool
) -> Folds:
    """The folds of a dataset; see ``folds``."""
    return make_folds(table, folds or plan.folds, ProtocolSettings(kfold=kfold), (), inner)


def _row(utterance: Utterance) -> dict[str, object]:
    held = asdict(utterance)
    last = {name: held.pop(name) for name in ("path", "pcm_sha256")}
    return {"utterance": held.pop("id"), **held, **last}


def _sides(split: Split, table: CorpusTable) -> Iterator[dict[str, object]]:
    for side in (split.train, split.test):
        for utterance in (table.by_id[each] for each in side.ids):
            yield {
                "fold": split.name,
                "partition": side.role,
                "speaker": utterance.speaker,
                "session": utterance.session,
                "utterance": utterance.id,
                "label": utterance.label,
            }
