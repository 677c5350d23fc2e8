"""The data of a run: its corpora and classes. There is one corpus, or several to train on and
another to test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serbench.api import Corpus, RegistryError
from serbench.data.corpus.subset import Subset
from serbench.running.registry.checks import SHARED_LABELS
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import DatasetSpec
from serbench.running.registry.validate import Values

OFFICIAL = "official"
"""Name of a corpus's own split; it also separates training corpora from the tested one."""


@dataclass(frozen=True, slots=True)
class PlannedCorpus:
    """One corpus of a run, by its dataset's name in the registry."""

    name: str
    spec: DatasetSpec
    corpus: Corpus

    def describe(self) -> Values:
        """The corpus as JSON."""
        params = self.corpus.params.model_dump(mode="json")
        return {"name": self.name, "corpus": self.spec.corpus, "params": params}


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Maps labels of corpora to the classes of a run; utterances with any other label are
    left out.
    """

    name: str
    classes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """The data that a run trains and tests on.

    Attributes:
        evaluated: the corpus that the run tests on.
        training: corpora that are trained on instead; empty: cross-validation within the tested
            one.
        labels: the label map; None: the corpus's own labels.
        subset: how much of each corpus is used; None: all.
    """

    evaluated: PlannedCorpus
    training: tuple[PlannedCorpus, ...] = ()
    labels: LabelMap | None = None
    subset: Subset | None = None

    @property
    def name(self) -> str:
        """The name of the data: ``ravdess``, ``ravdess-common-4``, ``emodb-to-ravdess``,
        ``emodb-tess-to-savee-mine``, ``ravdess-limit-100``.
        """
        name = self.evaluated.name
        if self.training:
            name = f"{'-'.join(part.name for part in self.training)}-to-{name}"
        if self.labels is not None and self.labels.name != SHARED_LABELS:
            name = f"{name}-{self.labels.name}"
        return f"{name}-{self.subset.name}" if self.subset else name

    @property
    def parts(self) -> tuple[PlannedCorpus, ...]:
        """All corpora, the tested one last."""
        return (*self.training, self.evaluated)

    @property
    def folds(self) -> str:
        """Default folds."""
        return OFFICIAL if self.training else self.evaluated.spec.folds

    @property
    def teachers(self) -> tuple[str, ...]:
        """Default teachers: those of the first training corpus."""
        return self.parts[0].spec.teachers

    def describe(self) -> Values:
        """The data as JSON. For one corpus with its own labels, the fields of other runs
        are left out.
        """
        described: Values = {**self.evaluated.describe(), "name": self.name}
        if self.name != self.evaluated.name:
            described["evaluated"] = self.evaluated.name
        if self.training:
            described["training"] = [part.describe() for part in self.training]
        if self.labels:
            described["label_map"] = {"name": self.labels.name, "map": dict(self.labels.classes)}
        if self.subset:
            described["subset"] = self.subset.describe()
        return described


def plan_dataset(
    registry: Registry,
    evaluated: str,
    training: Sequence[str],
    labels: str,
    overrides: Values,
    subset: Subset | None = None,
) -> DatasetPlan:
    """Resolve the names of corpora and of a label map.

    Args:
        registry: the registry with corpora and label maps.
        evaluated: the dataset that is tested.
        training: the datasets that are trained on instead; empty: cross-validation.
        labels: name of a label map; empty: the corpus's own labels, or those that several corpora
            share.
        overrides: parameters of the corpus that differ from its entry.
        subset: how much of each corpus is used; None: all.

    Raises:
        RegistryError: an unknown name, a corpus that is both trained on and tested, or fewer than
            two classes.
    """
    names = tuple(map(registry.dataset_name, (*training, evaluated)))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RegistryError(
            f"{', '.join(twice)} is named twice: name each training corpus once, and not the "
            "tested one; --dataset NAME cross-validates on one corpus"
        )
    if training and overrides:
        raise RegistryError(
            f"--set corpus.{next(iter(overrides))}: the run has several corpora; set it for one "
            "dataset in serbench.toml"
        )
    *trained, tested = (_part(registry, name, overrides) for name in names)
    classes = _label_map(registry, labels, (*trained, tested))
    return DatasetPlan(tested, tuple(trained), classes, subset)


def _part(registry: Registry, name: str, overrides: Values) -> PlannedCorpus:
    spec = registry.dataset(name)
    return PlannedCorpus(name, spec, registry.make("corpora", name, overrides))


def _label_map(registry: Registry, name: str, parts: Sequence[PlannedCorpus]) -> LabelMap | None:
    own = {part.name: part.corpus.card.labels for part in parts}
    if name:
        found = LabelMap(name, registry.label_map(name).map)
        for part, labels in own.items():
            _check_classes(f"label map {name} with {part}", found, labels)
        return found
    common = frozenset.intersection(*map(frozenset, own.values()))
    if all(common == frozenset(labels) for labels in own.values()):
        return None
    found = LabelMap(SHARED_LABELS, {label: label for label in sorted(common)})
    _check_classes(f"classes that {' and '.join(own)} share", found, found.classes)
    return found


def _check_classes(what: str, labels: LabelMap, known: Iterable[str]) -> None:
    """
    Raises:
        RegistryError: fewer than two classes are left.
    """
    known = tuple(known)
    left = {labels.classes[label] for label in known if label in labels.classes}
    if len(left) < 2:
        raise RegistryError(
            f"{what}: {len(left)} class{'' if len(left) == 1 else 'es'} left"
            + (f" of {', '.join(known)}" if known else "")
            + "; a run needs two. Choose another map with --labels (serbench list labels "
            "shows them), or add one as [labels.NAME] to serbench.toml"
        )
