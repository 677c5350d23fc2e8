"""The fits of a run, their inputs, and their addresses in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serbench.api import Need
from serbench.data.corpus.table import CorpusTable
from serbench.files.source import core_digest
from serbench.learning.crops import CropRecipe
from serbench.learning.features import Frames
from serbench.learning.fit.task import FitTask, InitialState
from serbench.learning.segments import Cutting, Segment, segment_partition
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.targets import Target, TargetKey, TeacherSignal, signals
from serbench.protocol.guard.view import PartitionView, id_set_digest
from serbench.protocol.splits.records import Partition, Split
from serbench.running.harness.code import (
    FIT,
    HEAD,
    LEAKY,
    backend_identity,
    fit_identity,
    plugin_digests,
)
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.leaky import leaky_fit
from serbench.running.harness.pretrained import initial_state, pretraining_of, start_of
from serbench.running.harness.views import Views
from serbench.running.plan.records import Candidate, RunPlan, digest_of, stable_seed
from serbench.settings import HeadSettings


@dataclass(frozen=True)
class FitPlace:
    """Position of a fit in the nested loops. Seeds count from 0; folds are 0-based here.

    If ``inner`` is None, it is the refit on the whole outer training side.
    """

    method: str
    seed: int
    outer: int
    candidate: int
    inner: int | None = None

    @property
    def name(self) -> str:
        """The fit's name: ``akd/seed-0/outer-1/candidate-2/inner-1`` or, for a
        refit, ``akd/seed-0/outer-1``.
        """
        place = f"{self.method}/seed-{self.seed}/outer-{self.outer + 1}"
        if self.inner is None:
            return place
        return f"{place}/candidate-{self.candidate + 1}/inner-{self.inner + 1}"


def unlabelled_frames(candidate: Candidate, inputs: Inputs) -> Frames | None:
    """Frames of the audio that the candidate's fits use without labels; None: they use
    no such audio.
    """
    if not candidate.unlabelled or inputs.pretrain is None:
        return None
    return inputs.pretrain.features[candidate.front_end]


def crop_frames(candidate: Candidate, inputs: Inputs) -> tuple[Frames, ...]:
    """Frames of the crops that the candidate trains on; empty: it trains on random windows."""
    recipe = candidate.crops
    return inputs.crops[recipe].features[candidate.front_end] if recipe else ()


def crop_embeddings(
    candidate: Candidate, inputs: Inputs
) -> Mapping[str, Sequence[TeacherEmbeddings]]:
    """The teachers' embeddings of the same crops."""
    return inputs.crops[candidate.crops].embeddings if candidate.crops else {}


def heard_identity(candidate: Candidate, inputs: Inputs) -> dict[str, object]:
    """The part of a fit's address for its data other than the corpus; empty: it has no
    other data.
    """
    own: dict[str, object] = {}
    frames = unlabelled_frames(candidate, inputs)
    if frames is not None and inputs.pretrain is not None:
        heard = [[name, each.digest] for name, each in inputs.pretrain.embeddings.items()]
        own["unlabelled"] = [frames.digest, heard]
    if candidate.crops:
        said = crop_embeddings(candidate, inputs).items()
        own["crops"] = [
            [each.digest for each in crop_frames(candidate, inputs)],
            [[name, [each.digest for each in heard]] for name, heard in said],
        ]
    return own


class TaskMaker:
    """Makes fit tasks, and stores what all of them share."""

    def __init__(
        self,
        plan: RunPlan,
        inputs: Inputs,
        views: Views,
        targets: Mapping[TargetKey, Target],
        initial: Mapping[str, InitialState],
        device: str,
    ) -> None:
        self.plan = plan
        self.inputs = inputs
        self.views = views
        self.targets = targets
        self.initial = initial
        self.device = device
        self._segments: dict[tuple[Partition, Cutting], tuple[Segment, ...]] = {}
        self._signals: dict[
            tuple[str, HeadSettings, frozenset[Need], bool, CropRecipe | None],
            tuple[TeacherSignal, ...],
        ] = {}

    def make(self, place: FitPlace, split: Split, epochs: int | None = None) -> FitTask:
        """The fit of ``place`` on ``split``. If ``epochs`` is None, the settings give the
        number of epochs.
        """
        task = self.proper(place, split, epochs)
        if place.inner is not None:
            return task
        return leaky_fit(task, self.plan.protocol.name, split, self.inputs.table)

    def proper(self, place: FitPlace, split: Split, epochs: int | None = None) -> FitTask:
        """The fit without the changes of a broken protocol."""
        candidate = self.plan.method(place.method).candidates[place.candidate]
        settings = candidate.settings
        features = self.inputs.features[candidate.front_end]
        # Each task has its own views, which record what is fitted in this fit.
        train = self.views.make(place.outer, split.train)
        validation = None if split.test.sealed else self.views.make(place.outer, split.test)
        wanted = settings.training.epochs if epochs is None else epochs
        wanted = 0 if candidate.estimates else wanted
        seed = stable_seed(self.inputs.table.digest, split.train.name, place.seed)
        pretraining = pretraining_of(candidate, place.method, place.seed, self.inputs, self.device)
        start = start_of(candidate, pretraining)
        return FitTask(
            name=place.name,
            key=self._key(candidate, split, train, wanted, seed, start),
            method=place.method,
            student=candidate.student,
            loss=candidate.loss,
            settings=settings,
            front_end=candidate.front_end,
            num_classes=len(self.inputs.table.labels),
            train=train,
            validation=validation,
            segments=self.segments(split, candidate),
            features=features,
            teachers=self._teachers(self.views.make(place.outer, split.train), candidate),
            backend=self.plan.backend,
            epochs=wanted,
            seed=seed,
            device=self.device,
            initial=initial_state(pretraining, self.initial, self.inputs),
            unlabelled=unlabelled_frames(candidate, self.inputs),
            crops=crop_frames(candidate, self.inputs),
        )

    def _teachers(self, train: PartitionView, candidate: Candidate) -> tuple[TeacherSignal, ...]:
        """The teachers' outputs for a partition. All fits on it share them, because they
        can be large.
        """
        head, needs, hears = candidate.settings.head, candidate.needs, candidate.unlabelled > 0.0
        key = (train.name, head, needs, hears, candidate.crops)
        if key not in self._signals:
            self._signals[key] = signals(
                self.inputs.embeddings, self.targets, train, head, needs, hears_unlabelled=hears,
                recipe=candidate.crops, crops=crop_embeddings(candidate, self.inputs),
            )  # fmt: skip
        return self._signals[key]

    def _broken(self, split: Split) -> list[str]:
        """The part of an address for a broken protocol; empty for any other protocol, or
        an inner fit.
        """
        if not (self.plan.protocol.leaky and split.test.sealed):
            return []
        return [self.plan.protocol.name, core_digest(LEAKY)]

    def segments(self, split: Split, candidate: Candidate) -> tuple[Segment, ...]:
        """Windows of the side that is scored. All fits that are scored on it share them."""
        key = (split.test, candidate.cutting)
        if key not in self._segments:
            self._segments[key] = segment_partition(self.inputs.table, *key)
        return self._segments[key]

    def _key(
        self,
        candidate: Candidate,
        split: Split,
        train: PartitionView,
        epochs: int,
        seed: int,
        start: str,
    ) -> str:
        needs = candidate.needs
        # The order of teachers matters, because hints are assigned by it.
        teachers = [[name, each.digest] for name, each in self.inputs.embeddings.items()]
        return digest_of(
            {
                **fit_identity(candidate, self.device),
                "features": self.inputs.features[candidate.front_end].digest,
                "train": list(train.ids),
                "labels": train.labels.tolist(),
                "scored": id_set_digest(split.test.ids),
                "sealed": split.test.sealed,
                "teachers": teachers if needs else [],
                "epochs": epochs,
                "seed": seed,
                "start": start,
                **heard_identity(candidate, self.inputs),
                "broken": self._broken(split),
                "backend": backend_identity(self.plan.backend),
                "code": [
                    core_digest(FIT),
                    core_digest(HEAD) if needs else "",
                    *plugin_digests(candidate),
                ],
            }
        )


def scored_segments(
    plan: RunPlan, table: CorpusTable, outer: Sequence[Split]
) -> list[tuple[Partition, tuple[Segment, ...]]]:
    """Windows of every outer test side, as every candidate cuts them."""
    cuttings = dict.fromkeys(
        candidate.cutting for method in plan.methods for candidate in method.candidates
    )
    return [
        (split.test, segment_partition(table, split.test, each))
        for split in outer
        for each in cuttings
    ]
