"""Load the inputs of a run: the corpus, its frames, its teachers' embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from serbench.api import CorpusError, FrontEnd, Teacher
from serbench.data.corpus.derive import join, relabel
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import locate
from serbench.data.corpus.table import CorpusTable, Speech
from serbench.data.corpus.unlabelled import UnlabelledAudio, load_unlabelled
from serbench.files.paths import inside
from serbench.learning.blocks import here
from serbench.learning.crops import CropRecipe, crops_of
from serbench.learning.extract import speech_frames
from serbench.learning.features import Frames
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.protocol.guard.corpora import check_distinct
from serbench.protocol.spelling import check_spelling
from serbench.running.executors.executor import Executor
from serbench.running.executors.spread import spread_over
from serbench.running.harness.embeddings import embed_table
from serbench.running.harness.observer import Observer
from serbench.running.plan.dataset import DatasetPlan, PlannedCorpus
from serbench.running.plan.records import Candidate, RunPlan


@dataclass(frozen=True)
class PretrainInputs:
    """Unlabelled audio, with its frames and embeddings.

    Attributes:
        features: its frames for each front end.
        embeddings: its embeddings by teacher.
    """

    audio: UnlabelledAudio
    features: Mapping[FrontEnd, Frames]
    embeddings: Mapping[str, TeacherEmbeddings]


@dataclass(frozen=True)
class CropInputs:
    """The crops of one recipe, of all utterances, with their frames and embeddings.

    Attributes:
        features: for each front end, the frames of the first crop of each utterance, of the second
            crop, …
        embeddings: the embeddings of the same crops, by teacher.
    """

    features: Mapping[FrontEnd, tuple[Frames, ...]]
    embeddings: Mapping[str, tuple[TeacherEmbeddings, ...]]


@dataclass(frozen=True)
class Inputs:
    """All inputs of a run before any folds are made.

    Attributes:
        features: frames for each front end of any candidate.
        embeddings: the corpus's embeddings by teacher.
        model_digests: digests of the weights of teachers, of models that students inherit from, and
            of models that front ends run.
        pretrain: the unlabelled audio; None: the run has none.
        crops: the crops by recipe.
    """

    table: CorpusTable
    features: Mapping[FrontEnd, Frames]
    embeddings: Mapping[str, TeacherEmbeddings]
    model_digests: Mapping[str, str]
    pretrain: PretrainInputs | None = None
    crops: Mapping[CropRecipe, CropInputs] = field(default_factory=dict)


def load_dataset(
    dataset: DatasetPlan,
    data_dir: Path | None,
    cache: Path,
    watch: Observer,
    *,
    allow_incomplete: bool = False,
    audio_cache: Path | None = None,
) -> CorpusTable:
    """Find, if necessary download, and check every corpus of a dataset; then combine them.

    Args:
        dataset: the plan of the data.
        data_dir: the corpus's folder; for several corpora, a folder with one folder each.
        cache: with downloaded corpora.
        watch: receives progress.
        allow_incomplete: continue without missing or unreadable files; the table says so.
        audio_cache: cache of facts about audio files that were read before; by default the
            cache of runs.

    Raises:
        CorpusError: a corpus is not available, or differs from its card.
        LeakageError: L1, corpora that share speakers, or a speaker in several spellings; L9, a
            sentence in several spellings.
    """
    check_distinct({part.name: part.corpus.card for part in dataset.parts})
    tables = [
        _load_part(
            part,
            _own_folder(data_dir, part.name, watch) if dataset.training else data_dir,
            cache,
            audio_cache or cache,
            allow_incomplete,
            watch,
            dataset,
        )
        for part in dataset.parts
    ]
    if (labels := dataset.labels) is not None:
        alone = dataset.name if not dataset.training else None
        tables = [
            relabel(table, alone or table.name, labels.name, labels.classes) for table in tables
        ]
    if dataset.training:
        return join(dataset.name, tables[:-1], tables[-1])
    (table,) = tables
    if dataset.name == table.name:
        return table
    return replace(table, name=dataset.name, evaluated=dataset.evaluated.name)


def _own_folder(data_dir: Path | None, name: str, watch: Observer) -> Path | None:
    """A corpus's folder below the folder of several corpora; None: it is searched for elsewhere.

    Raises:
        CorpusError: ``data_dir`` is not a folder.
    """
    if data_dir is None:
        return None
    if not data_dir.expanduser().is_dir():
        raise CorpusError(
            f"--data-dir {data_dir} is not a folder; for several corpora, it must contain one "
            "folder for each, with the corpus's name"
        )
    folder = inside(data_dir.expanduser(), name, what="dataset", error=CorpusError)
    if folder.is_dir():
        return folder
    watch.announce(f"{name} is not below --data-dir ({data_dir})")
    return None


def _load_part(
    part: PlannedCorpus,
    data_dir: Path | None,
    cache: Path,
    audio_cache: Path,
    allow_incomplete: bool,
    watch: Observer,
    dataset: DatasetPlan,
) -> CorpusTable:
    """Load one corpus, or the part of it that the plan uses."""
    advance = partial(watch.advance, f"corpus {part.name}")
    try:
        folder = locate(
            part.corpus, part.name, data_dir, cache, advance, watch.announce, part.spec.path
        )
    except CorpusError as error:
        if not dataset.training:
            raise
        raise CorpusError(
            f"{error}\n"
            "For several corpora, --data-dir DIR contains one folder each; this one would be "
            f"DIR/{part.name}"
        ) from error
    table = load_corpus(
        part.corpus, part.name, folder, audio_cache, advance, allow_incomplete, dataset.subset,
        tuple(dataset.labels.classes) if dataset.labels else (),
    )  # fmt: skip
    check_spelling(table)
    return table


def load_audio(plan: RunPlan, cache: Path, watch: Observer) -> UnlabelledAudio | None:
    """The audio that students are pretrained on; None: the run has none.

    Raises:
        CorpusError: no such folder, or files cannot be read.
    """
    if plan.pretrain_audio is None:
        return None
    advance = partial(watch.advance, "unlabelled audio")
    return load_unlabelled(plan.pretrain_audio, cache, advance)


def load_inputs(
    plan: RunPlan,
    table: CorpusTable,
    audio: UnlabelledAudio | None,
    cache: Path,
    device: str,
    watch: Observer,
    executor: Executor | None = None,
) -> Inputs:
    """Load frames and embeddings from the cache, or let ``executor`` compute them.

    Raises:
        CorpusError: a file can no longer be read.
        TeacherError: a teacher is not available or cannot run.
    """
    # This comes before long computations: weights that are not available are reported at once.
    loader = Loader(cache, device, watch, executor)
    return loader.load(plan, table, audio, model_digests(plan))


def model_digests(plan: RunPlan) -> dict[str, str]:
    """Digests of the weights of all models of a plan, by their names in tables.

    Raises:
        TeacherError: weights are not available.
    """
    models = {**plan.teachers, **plan.heirs, **plan.listeners}
    return {name: model.model_digest for name, model in models.items()}


def load_crops(
    candidates: Iterable[Candidate],
    table: CorpusTable,
    teachers: Mapping[str, Teacher],
    cache: Path,
    device: str,
    watch: Observer,
) -> dict[CropRecipe, CropInputs]:
    """See ``Loader.crops``."""
    return Loader(cache, device, watch).crops(candidates, table, teachers)


class Loader:
    """Loads frames and embeddings from the cache, or computes and caches them. They need no label.

    Args:
        cache: root of the cache.
        device: device of the teachers.
        watch: receives progress.
        executor: computes them; None: this process.
    """

    def __init__(
        self, cache: Path, device: str, watch: Observer, executor: Executor | None = None
    ) -> None:
        self.cache = cache
        self.device = device
        self.watch = watch
        self.spread = spread_over(executor, device, watch.announce) if executor else here

    def frames(self, speech: Speech, front_end: FrontEnd, stage: str) -> Frames:
        """The frames of ``speech_frames``; ``stage`` names the speech in progress reports."""
        advance = partial(self.watch.advance, f"features{stage and f' {stage}'}")
        return speech_frames(speech, front_end, self.cache, advance, self.spread)

    def embeddings(
        self, teacher: Teacher, name: str, speech: Speech, stage: str
    ) -> TeacherEmbeddings:
        """The embeddings of ``embed_table``; ``stage`` names the speech in progress reports."""
        advance = partial(self.watch.advance, f"teacher {name}{stage and f' {stage}'}")
        device = torch.device(self.device)
        return embed_table(teacher, name, speech, self.cache, device, advance, self.spread)

    def load(
        self,
        plan: RunPlan,
        table: CorpusTable,
        audio: UnlabelledAudio | None,
        digests: Mapping[str, str],
    ) -> Inputs:
        """All inputs of a plan.

        Args:
            plan: the run's plan.
            table: the corpus.
            audio: unlabelled audio; None: the run has none.
            digests: digests of the models' weights.

        Raises:
            CorpusError, TeacherError: as ``load_inputs``.
        """
        methods = (*plan.methods, *(plan.canary.methods if plan.canary else ()))
        candidates = [candidate for method in methods for candidate in method.candidates]
        features = self._features(table, (each.front_end for each in candidates), "")
        embeddings = self._embeddings(plan.teachers, table, "")
        crops = self.crops(candidates, table, plan.teachers)
        if audio is None:
            return Inputs(table, features, embeddings, digests, crops=crops)
        pretrain = PretrainInputs(
            audio,
            self._features(audio, _hearing(candidates), "of unlabelled audio"),
            self._embeddings(plan.teachers, audio, "on unlabelled audio"),
        )
        return Inputs(table, features, embeddings, digests, pretrain, crops)

    def crops(
        self, candidates: Iterable[Candidate], table: CorpusTable, teachers: Mapping[str, Teacher]
    ) -> dict[CropRecipe, CropInputs]:
        """Frames and embeddings of the crops that candidates use.

        Raises:
            CorpusError, TeacherError: as ``load_inputs``.
        """
        asked: dict[CropRecipe, dict[FrontEnd, None]] = {}
        taught: set[CropRecipe] = set()
        for each in candidates:
            if each.crops is not None:
                asked.setdefault(each.crops, {})[each.front_end] = None
                if each.needs:
                    taught.add(each.crops)
        found: dict[CropRecipe, CropInputs] = {}
        for recipe, front_ends in asked.items():
            parts, own = crops_of(table, recipe), teachers if recipe in taught else {}
            heard = [self._features(part, front_ends, "of crops") for part in parts]
            said = [self._embeddings(own, part, "on crops") for part in parts]
            found[recipe] = CropInputs(
                {each: tuple(frames[each] for frames in heard) for each in front_ends},
                {name: tuple(each[name] for each in said) for name in said[0]},
            )
        return found

    def _features(
        self, speech: Speech, front_ends: Iterable[FrontEnd], stage: str
    ) -> dict[FrontEnd, Frames]:
        return {each: self.frames(speech, each, stage) for each in dict.fromkeys(front_ends)}

    def _embeddings(
        self, teachers: Mapping[str, Teacher], speech: Speech, stage: str
    ) -> dict[str, TeacherEmbeddings]:
        return {
            name: self.embeddings(teacher, name, speech, stage)
            for name, teacher in teachers.items()
        }


def _hearing(candidates: Iterable[Candidate]) -> Iterator[FrontEnd]:
    """Front ends of candidates that use the unlabelled audio."""
    for each in candidates:
        if each.objective is not None or each.inherits or each.unlabelled:
            yield each.front_end
