"""Times a sample: everything that a run does, on a few utterances."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from serbench.api import EpochEvent, FrontEnd, Teacher
from serbench.data.corpus.table import CorpusTable, Speech, table_digest
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.files.cache_kinds import kind_folder
from serbench.files.machine import peak_bytes
from serbench.learning.features import Frames
from serbench.learning.fit.estimate import fit_student
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import (
    FitResult,
    FitTask,
    InitialState,
    PretrainResult,
    PretrainTask,
    TrainingTask,
)
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.protocol.splits.records import Split, make_partition
from serbench.running.executors.executor import Executor
from serbench.running.harness.folds import Folds
from serbench.running.harness.inputs import Inputs, Loader
from serbench.running.harness.nested import Nested
from serbench.running.harness.observer import Observer
from serbench.running.harness.pretrained import pretraining_of
from serbench.running.harness.resources import Resources
from serbench.running.harness.tasks import FitPlace
from serbench.running.plan.records import Candidate, RunPlan, describe_candidate
from serbench.running.store.run import RunStore

T = TypeVar("T")
Task = TypeVar("Task", bound=TrainingTask)

SIZES = (16, 64, 256, 1024)
"""Numbers of training utterances of the samples, which are taken one after the other until the time
is over.
"""

BUDGET_S = 45.0
"""Seconds for all samples: a larger sample is taken only if it is expected to end within
this time.
"""

EPOCHS = 3
"""Number of epochs of each sampled fit. The first one is not timed, because it includes work that
is done only once.
"""

NEITHER = ("learning_rate", "weight_decay", "betas", "epochs", "schedule", "warmup", "clip_norm")
"""Settings of training that do not change the duration of an epoch."""


@dataclass(frozen=True)
class Timed:
    """Duration and memory of a fit or a pretraining.

    Attributes:
        fixed_s: seconds besides the epochs.
        epoch_s: seconds of an epoch; 0: it has no epochs.
        kept_bytes: size of the weights that are kept.
        peak_bytes: largest memory of the process that computed it; None: unknown.
        start: the weights that resulted from a pretraining.
    """

    fixed_s: float
    epoch_s: float
    kept_bytes: int
    peak_bytes: int | None
    start: InitialState | None = None


@dataclass(frozen=True)
class Rate:
    """Cost of a pass, per second of speech.

    Attributes:
        seconds: seconds of computation.
        disk_bytes: bytes in the cache.
        memory_bytes: bytes in the memory of the run.
    """

    seconds: float
    disk_bytes: float
    memory_bytes: float


@dataclass
class Sample:
    """The times of a sample.

    Attributes:
        size: number of its training utterances; ``speech_s``: seconds of all its speech.
        audio_s: seconds of its unlabelled audio.
        took_s: seconds that all samples took; ``start_s``: the part of them until all
            workers had started.
        passes: cost of each pass by ``features`` or ``embeddings`` and name.
        head_s: seconds of fitting a teacher's head.
        fits, pretrainings: times by ``recipe_of``.
    """

    size: int
    speech_s: float
    audio_s: float = 0.0
    took_s: float = 0.0
    start_s: float = 0.0
    passes: dict[tuple[str, str], Rate] = field(default_factory=dict)
    head_s: float = 0.0
    fits: dict[str, Timed] = field(default_factory=dict)
    pretrainings: dict[str, Timed] = field(default_factory=dict)


def recipe_of(candidate: Candidate) -> str:
    """A key of everything that the time of a candidate's fits depends on: most grids have the same
    key at all points.
    """
    described = describe_candidate(candidate)
    described.pop("loss_params")
    settings: Any = described.pop("settings")
    if settings:
        settings.pop("head")
        for part in ("training", "pretrain"):
            settings[part] = {k: v for k, v in settings[part].items() if k not in NEITHER}
    return json.dumps([described, settings], sort_keys=True)


def take_samples(
    plan: RunPlan, folds: Folds, audio: UnlabelledAudio | None, resources: Resources
) -> list[Sample]:
    """Samples of growing size, as many as there is time for; the last one is the best.

    None of their results is kept.

    Raises:
        SerbenchError: as in a run.
    """
    began = time.perf_counter()
    split = max(folds.outer, key=lambda each: len(each.train.ids))
    whole = len(split.train.ids)
    resources.executor.calls(_nothing, [0] * resources.executor.workers)
    start_s = time.perf_counter() - began
    samples: list[Sample] = []
    rounds_s: list[float] = []
    for size in dict.fromkeys(min(size, whole) for size in SIZES):
        started = time.perf_counter()
        # Inside the cache, so that workers on other machines can read it, and gc can find it.
        there = kind_folder(resources.cache, "corpora")
        there.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".dry-run-", dir=there) as scratch:
            samples.append(_sample(plan, folds, split, audio, resources, Path(scratch), size))
        now = time.perf_counter()
        samples[-1].took_s, samples[-1].start_s = now - began, start_s
        rounds_s.append(now - started)
        if now - began + _next_s(rounds_s) > BUDGET_S:
            break
    return samples


def _next_s(rounds_s: Sequence[float]) -> float:
    """How long the next sample will take. The first one includes work that is done only once."""
    if len(rounds_s) == 1:
        return rounds_s[0]
    before, last = rounds_s[-2:]
    return last + max(0.0, last - before) * SIZES[1] / SIZES[0]


def _nothing(item: int) -> int:
    return item


def _sample(
    plan: RunPlan,
    folds: Folds,
    split: Split,
    audio: UnlabelledAudio | None,
    resources: Resources,
    scratch: Path,
    size: int,
) -> Sample:
    small, table = _part(folds.table, split, size)
    heard = None if audio is None else replace(audio, utterances=_every(audio.utterances, size))
    speech_s = sum(each.duration_s for each in table.utterances)
    sample = Sample(size, speech_s, heard.duration_s if heard else 0.0)
    loader = _TimedLoader(scratch, resources, sample)
    inputs = loader.load(plan, table, heard, {})
    here = replace(resources, cache=scratch)
    folds = Folds(table, (small,), (), (), ())
    nested = Nested(plan, inputs, folds, RunStore(scratch / "run"), here, Observer())
    began, jobs = time.perf_counter(), len(plan.teachers) * len(nested.heads)
    nested.ask_teachers()
    if jobs:
        side_by_side = min(jobs, resources.executor.workers)
        sample.head_s = (time.perf_counter() - began) * side_by_side / jobs
    candidates = {
        recipe_of(each): (method.name, each)
        for method in plan.methods
        for each in method.candidates
    }
    _pretrain(sample, nested, inputs, candidates, resources)
    maker = nested.maker()
    tasks: dict[str, FitTask] = {}
    for recipe, (method, candidate) in candidates.items():
        number = plan.method(method).candidates.index(candidate)
        epochs = min(EPOCHS, candidate.settings.training.epochs)
        tasks[recipe] = maker.make(FitPlace(method, 0, 0, number, inner=0), small, epochs)
    sample.fits = _timed(fit_student, tasks, resources.executor)
    return sample


def _pretrain(
    sample: Sample,
    nested: Nested,
    inputs: Inputs,
    candidates: Mapping[str, tuple[str, Candidate]],
    resources: Resources,
) -> None:
    """Time the pretrainings; fits of the sample start from the weights that result."""
    tasks: dict[str, PretrainTask] = {}
    for recipe, (method, candidate) in candidates.items():
        task = pretraining_of(candidate, method, 0, inputs, resources.device)
        if task is not None:
            before = task.settings.pretrain
            before = before.model_copy(update={"epochs": min(EPOCHS, before.epochs)})
            settings = task.settings.model_copy(update={"pretrain": before})
            tasks[recipe] = replace(task, settings=settings)
    sample.pretrainings = _timed(pretrain, tasks, resources.executor)
    for recipe, timed in sample.pretrainings.items():
        assert timed.start is not None, "a pretraining gives weights"
        nested.initial[tasks[recipe].key] = timed.start


def _part(table: CorpusTable, split: Split, size: int) -> tuple[Split, CorpusTable]:
    """``size`` training utterances of a fold and the same share of its test side, and the
    table of both.
    """
    share = size / len(split.train.ids)
    trained = _every(split.train.ids, size)
    tested = _every(split.test.ids, max(1, round(share * len(split.test.ids))))
    ids = frozenset((*trained, *tested))
    rows = tuple(each for each in table.utterances if each.id in ids)
    small = replace(table, utterances=rows, digest=table_digest(rows), whole=())
    train = make_partition(small, split.train.name, frozenset(trained), "train")
    test = make_partition(small, "sample/validation", frozenset(tested), "validation")
    return Split(split.name, train, test), small


def _every(items: Sequence[T], count: int) -> tuple[T, ...]:
    """About ``count`` of the items, evenly spread over them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return tuple(items[place] for place in places)


class _TimedLoader(Loader):
    """A loader that records seconds and bytes of each pass over speech."""

    def __init__(self, cache: Path, resources: Resources, sample: Sample) -> None:
        super().__init__(cache, resources.device, Observer(), resources.executor)
        self.sample = sample

    def frames(self, speech: Speech, front_end: FrontEnd, stage: str) -> Frames:
        """See ``Loader``."""
        began = time.perf_counter()
        made = super().frames(speech, front_end, stage)
        self._note(("features", front_end.name), speech, began, made.values.nbytes, 0)
        return made

    def embeddings(
        self, teacher: Teacher, name: str, speech: Speech, stage: str
    ) -> TeacherEmbeddings:
        """See ``Loader``."""
        began = time.perf_counter()
        made = super().embeddings(teacher, name, speech, stage)
        size = made.frames.nbytes + made.stored_pooled.nbytes
        self._note(("embeddings", name), speech, began, size, made.stored_pooled.nbytes)
        return made

    def _note(
        self, what: tuple[str, str], speech: Speech, began: float, on_disk: int, in_memory: int
    ) -> None:
        heard_s = sum(each.duration_s for each in speech.utterances)
        took = (time.perf_counter() - began, on_disk, in_memory)
        self.sample.passes[what] = Rate(*(each / heard_s for each in took))


def _timed(
    function: Callable[[Task, OnEpoch], FitResult | PretrainResult],
    tasks: Mapping[str, Task],
    executor: Executor,
) -> dict[str, Timed]:
    """Run each task as many times as there are workers, all at the same time as in a run,
    and time them.
    """
    items = [task for task in tasks.values() for _ in range(executor.workers)]
    found: dict[str, list[Timed]] = {}
    for key, timed in executor.train(partial(_clocked, function), iter(items), _silent):
        found.setdefault(key, []).append(timed)
    return {recipe: _mean(found[task.key]) for recipe, task in tasks.items()}


def _silent(event: EpochEvent) -> None:
    """Ignore an epoch: the epochs of a sample are not reported."""


def _clocked(
    function: Callable[[Task, OnEpoch], FitResult | PretrainResult],
    task: Task,
    on_epoch: OnEpoch,  # noqa: ARG001 - epochs of a sample are no news
) -> tuple[str, Timed]:
    """Run a task in a worker; return its key and what it took."""
    began, ends = time.perf_counter(), list[float]()
    result = function(task, lambda _: ends.append(time.perf_counter()))
    whole_s = time.perf_counter() - began
    lengths = [end - start for start, end in itertools.pairwise(ends)]
    epoch_s = float(np.mean(lengths)) if lengths else (whole_s if ends else 0.0)
    start = result.state if isinstance(result, PretrainResult) else None
    tensors = result.state if isinstance(result, FitResult) else result.state.student
    kept = sum(each.numel() * each.element_size() for each in tensors.values())
    fixed_s = max(0.0, whole_s - len(ends) * epoch_s)
    return task.key, Timed(fixed_s, epoch_s, kept, peak_bytes(), start)


def _mean(times: Sequence[Timed]) -> Timed:
    return replace(
        times[0],
        fixed_s=float(np.mean([each.fixed_s for each in times])),
        epoch_s=float(np.mean([each.epoch_s for each in times])),
        peak_bytes=max(each.peak_bytes or 0 for each in times) or None,
    )
