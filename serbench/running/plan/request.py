"""The request of a command line, before a plan is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serbench.data.corpus.subset import Subset
from serbench.running.registry.schema import ChangesSpec


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a command line.

    Attributes:
        dataset: the dataset to evaluate.
        teachers: names of teachers, or folders with a speech encoder. Empty: the teachers that the
            dataset's entry names.
        sets: settings as texts ``path=value``.
        pretrain_audio: folder of unlabelled audio; None: no pretraining.
        train: datasets to train on, instead of cross-validation within ``dataset``.
        labels: a label map; empty: the corpus's own labels, or those that all corpora have.
        changes: a suite's changes of methods on this dataset, by method.
        subset: how much of each corpus is used; None: all.
    """

    dataset: str
    methods: tuple[str, ...]
    profile: str = "standard"
    teachers: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    pretrain_audio: Path | None = None
    train: tuple[str, ...] = ()
    labels: str = ""
    changes: Mapping[str, ChangesSpec] = field(default_factory=dict)
    subset: Subset | None = None
