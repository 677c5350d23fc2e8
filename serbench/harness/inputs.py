"""Load what a run works on: the corpus, its frames, its teachers' embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from serbench.corpus import CorpusTable, load_corpus, locate
from serbench.features import Frames, log_mel_frames
from serbench.harness.observer import Observer
from serbench.plan import RunPlan
from serbench.settings import FeatureSettings
from serbench.teach import TeacherEmbeddings, embed_corpus


@dataclass(frozen=True)
class Inputs:
    """Everything of a run that holds no fold yet.

    Attributes:
        features: frames for each front end that any candidate asks for.
        embeddings: by teacher.
        model_digests: of each teacher's weights.
    """

    table: CorpusTable
    features: Mapping[FeatureSettings, Frames]
    embeddings: Mapping[str, TeacherEmbeddings]
    model_digests: Mapping[str, str]


def load_table(
    plan: RunPlan, data_dir: Path | None, cache: Path, allow_incomplete: bool, watch: Observer
) -> CorpusTable:
    """Find, if need be fetch, and check the corpus.

    Raises:
        CorpusError: it cannot be had, or it is not what its card declares.
    """
    advance = partial(watch.advance, "corpus")
    folder = locate(
        plan.corpus, plan.dataset, data_dir, cache, advance, watch.announce, plan.spec.path
    )
    return load_corpus(
        plan.corpus, plan.dataset, folder, cache / "audio", advance, allow_incomplete
    )


def load_inputs(
    plan: RunPlan, table: CorpusTable, cache: Path, device: str, watch: Observer
) -> Inputs:
    """Frames and embeddings, from the cache where they are there.

    Raises:
        CorpusError: a file can no longer be read.
        TeacherError: a teacher cannot be had or run.
    """
    # Before anything long: weights that cannot be had are told of at once.
    digests = {name: teacher.model_digest for name, teacher in plan.teachers.items()}
    front_ends = dict.fromkeys(
        candidate.settings.features
        for method in (*plan.methods, *(plan.canary.methods if plan.canary else ()))
        for candidate in method.candidates
    )
    features = {
        settings: log_mel_frames(
            table, settings, cache / "features", partial(watch.advance, "features")
        )
        for settings in front_ends
    }
    embeddings = {}
    for name, teacher in plan.teachers.items():
        embeddings[name] = embed_corpus(
            teacher,
            name,
            table,
            cache / "embeddings",
            torch.device(device),
            partial(watch.advance, f"teacher {name}"),
        )
    return Inputs(table, features, embeddings, digests)
