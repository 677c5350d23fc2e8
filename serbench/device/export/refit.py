"""Trains a student for export on every speaker of the corpus, so none is left to test it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from serbench.api import CorpusError, FrontEnd, StoreError
from serbench.data.corpus.unlabelled import load_unlabelled
from serbench.device.export.deployed import Trained
from serbench.device.export.score import cross_validated
from serbench.files.source import core_digest
from serbench.learning.extract import speech_frames
from serbench.learning.features import Normaliser
from serbench.learning.fit.task import FitTask, InitialState
from serbench.learning.front_ends import shape_of
from serbench.learning.segments import segment_utterance
from serbench.learning.teach.embed import embed_corpus
from serbench.learning.teach.targets import Target, TargetKey, signals
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.records import Partition
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor
from serbench.running.executors.spread import spread_here
from serbench.running.harness.code import FIT, HEAD, fit_identity, plugin_digests
from serbench.running.harness.inputs import Inputs, PretrainInputs, load_crops
from serbench.running.harness.pretrained import (
    initial_state,
    pretrain_each,
    pretraining_of,
    start_of,
)
from serbench.running.harness.results import KeptFit, keep, kept_fit
from serbench.running.harness.targets import fit_targets, hear_crops, label_audio
from serbench.running.harness.tasks import (
    crop_embeddings,
    crop_frames,
    heard_identity,
    unlabelled_frames,
)
from serbench.running.plan.records import Candidate, digest_of, stable_seed
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench.running.store.cache import FitCache

EVERYONE = "all speakers"


def refit_all(
    replay: Replay,
    students: Sequence[StoredStudent],
    pretrain_audio: Path | None,
    executor: Executor,
) -> Trained:
    """Train a method on all utterances, with the settings that its folds chose.

    If there are several candidates, the one that most folds chose is used, with the mean of their
    epochs. Soft targets are cross-fitted over all speakers. The fit is kept in the cache and read
    from there next time.

    Args:
        replay: a finished run.
        students: its students of one method and seed, one for each outer fold.
        pretrain_audio: the unlabelled audio on which the run's students were pretrained.
        executor: for steps that can run in parallel.

    Raises:
        StoreError: the run was pretrained, but no audio is given.
        CorpusError: this audio differs from the run's.
        TeacherError: a teacher's weights are not available.
        SerbenchError: the fit diverged.
    """
    method, seed = students[0].method, students[0].seed
    candidate, epochs = _setting(replay, students)
    cache = FitCache(replay.cache, "fits")
    task = _task(replay, method, seed, candidate, epochs, pretrain_audio, executor)
    fit = kept_fit(cache, task) or _fitted(replay, task, cache)
    state = dict(fit.state)
    normaliser = Normaliser(state.pop("normaliser.mean"), state.pop("normaliser.deviation"))
    network = candidate.student.build(shape_of(candidate.front_end, len(replay.table.labels)))
    network.load_state_dict(state)
    return Trained(
        name=f"{method}/seed-{seed}/{EVERYONE}",
        student=candidate.student,
        network=network.eval(),
        normaliser=normaliser,
        labels=tuple(replay.table.labels),
        front_end=candidate.front_end,
        segments=candidate.settings.segments,
        provenance=_provenance(replay, method, seed, epochs),
    )


def _setting(replay: Replay, students: Sequence[StoredStudent]) -> tuple[Candidate, int]:
    """The candidate that most folds chose (the first of equals), and the mean of their epochs."""
    values = [digest_of(dict(student.candidate.values)) for student in students]
    most = max(dict.fromkeys(values), key=values.count)
    chosen = [each for each, value in zip(students, values, strict=True) if value == most]
    names = {student.name for student in chosen}
    epochs = [int(fit["epochs"]) for fit in replay.store.fits() if fit["fit"] in names]
    return chosen[0].candidate, round(float(np.mean(epochs)))


def _task(
    replay: Replay,
    method: str,
    seed: int,
    candidate: Candidate,
    epochs: int,
    pretrain_audio: Path | None,
    executor: Executor,
) -> FitTask:
    """The fit on all speakers, with pretraining and teachers as in the run's own fits."""
    view = _everyone(replay)
    inputs = _inputs(replay, method, candidate, pretrain_audio)
    device = str(replay.device)
    pretraining = pretraining_of(candidate, method, seed, inputs, device)
    initial: Mapping[str, InitialState] = {}
    if pretraining is not None:
        tasks = {pretraining.key: pretraining}
        initial = pretrain_each(tasks, replay.cache, executor, replay.watch)
    teachers = inputs.embeddings if candidate.needs else {}
    frames = inputs.features[candidate.front_end]
    fit_seed = stable_seed(replay.table.digest, EVERYONE, seed)
    key = digest_of(
        {
            **fit_identity(candidate, device),
            "features": frames.digest,
            "train": list(view.ids),
            "labels": view.labels.tolist(),
            "teachers": [[name, each.digest] for name, each in teachers.items()],
            "epochs": epochs,
            "seed": fit_seed,
            "start": start_of(candidate, pretraining),
            **heard_identity(candidate, inputs),
            "code": _code(candidate),
        }
    )
    return FitTask(
        name=f"{method}/seed-{seed}/{EVERYONE}",
        key=key,
        method=method,
        student=candidate.student,
        loss=candidate.loss,
        settings=candidate.settings,
        front_end=candidate.front_end,
        num_classes=len(replay.table.labels),
        train=view,
        validation=None,
        # A fit predicts something at its end; nothing reads its prediction for this window.
        segments=tuple(segment_utterance(replay.table.utterances[0], [(0.0, 0.1)])),
        features=frames,
        teachers=signals(
            teachers,
            _targets(replay, inputs, candidate, view, executor),
            _everyone(replay),
            candidate.settings.head,
            candidate.needs,
            hears_unlabelled=candidate.unlabelled > 0.0,
            recipe=candidate.crops,
            crops=crop_embeddings(candidate, inputs),
        ),
        backend=replay.stored.backend(),
        epochs=epochs,
        seed=fit_seed,
        device=device,
        initial=initial_state(pretraining, initial, inputs),
        unlabelled=unlabelled_frames(candidate, inputs),
        crops=crop_frames(candidate, inputs),
    )


def _code(candidate: Candidate) -> list[str]:
    """Digests of the code that trains a candidate."""
    head = core_digest(HEAD) if candidate.needs else ""
    return [core_digest(FIT), head, *plugin_digests(candidate)]


def _targets(
    replay: Replay, inputs: Inputs, candidate: Candidate, view: PartitionView, executor: Executor
) -> dict[TargetKey, Target]:
    """Targets of the candidate's teachers for all utterances, unlabelled speech and crops."""
    teachers = inputs.embeddings if candidate.needs else {}
    head, views, cache = candidate.settings.head, {view.name: view}, replay.cache
    classes = len(replay.table.labels)
    targets = fit_targets(teachers, views, [head], classes, cache, executor)
    if candidate.unlabelled and inputs.pretrain is not None:
        audio = inputs.pretrain.embeddings
        targets = label_audio(teachers, audio, views, targets, [head], classes, cache, executor)
    asked = [(head, candidate.crops)] if candidate.crops and candidate.needs else []
    crops = {recipe: heard.embeddings for recipe, heard in inputs.crops.items()}
    return hear_crops(teachers, crops, views, targets, asked, classes, cache, executor)


def _everyone(replay: Replay) -> PartitionView:
    table = replay.table
    units = tuple(dict.fromkeys(table.unit_of(utterance) for utterance in table.utterances))
    return PartitionView(Partition(EVERYONE, tuple(table.ids), units), table)


def _inputs(
    replay: Replay, method: str, candidate: Candidate, pretrain_audio: Path | None
) -> Inputs:
    """Frames, embeddings, crops, and unlabelled audio if the run had some.

    Raises:
        StoreError, CorpusError: see ``refit_all``.
    """
    entry = next(each for each in replay.plan["methods"] if each["name"] == method)
    names = entry["teachers"]
    embeddings = {name: replay.embeddings(name) for name in names}
    front_end = candidate.front_end
    features = dict.fromkeys([front_end], replay.frames(front_end))
    digests = {name: replay.plan["model_digests"][name] for name in names}
    pretrain = None
    if entry["pretrained"] or candidate.unlabelled:
        pretrain = _audio(replay, method, front_end, names, pretrain_audio)
    teachers = {name: replay.teacher(name) for name in names if candidate.crops}
    crops = load_crops(
        [candidate], replay.table, teachers, replay.cache, str(replay.device), replay.watch
    )
    return Inputs(replay.table, features, embeddings, digests, pretrain, crops)


def _audio(
    replay: Replay, method: str, front_end: FrontEnd, names: Sequence[str], folder: Path | None
) -> PretrainInputs:
    """The unlabelled audio of the run.

    Raises:
        StoreError, CorpusError: see ``refit_all``.
    """
    known = replay.plan["pretrain_audio"]
    if folder is None:
        raise StoreError(
            f"the students of {method} were trained on {known['recordings']} recordings of "
            "unlabelled speech; give that folder with --pretrain-audio"
        )
    watch, cache = replay.watch, replay.cache
    audio = load_unlabelled(folder, cache, partial(watch.advance, "unlabelled audio"))
    if audio.digest != known["digest"]:
        raise CorpusError(
            f"{folder} is not the audio that the run's students were trained on "
            f"({len(audio.utterances)} recordings in the folder, {known['recordings']} in the "
            "run, or different ones)"
        )
    heard = {
        name: embed_corpus(
            replay.teacher(name), name, audio, cache, replay.device,
            partial(watch.advance, f"teacher {name} on unlabelled audio"),
            spread_here(replay.device.type),
        )
        for name in names
    }  # fmt: skip
    advance = partial(watch.advance, "features of unlabelled audio")
    frames = speech_frames(audio, front_end, cache, advance)
    return PretrainInputs(audio, dict.fromkeys([front_end], frames), heard)


def _fitted(replay: Replay, task: FitTask, cache: FitCache) -> KeptFit:
    replay.watch.fits_planned([task], 0)
    for result in LocalExecutor().fits([task], replay.watch.epoch):
        keep(cache, result, refit=True)
        replay.watch.fit_done(result)
    kept = kept_fit(cache, task)
    if kept is None:
        raise StoreError(f"{cache.path(task.key)} was just written and cannot be read back")
    return kept


def _provenance(replay: Replay, method: str, seed: int, epochs: int) -> dict[str, Any]:
    dataset = replay.plan["dataset"]
    return {
        "trained": "on all speakers, for shipping",
        "test_score": None,
        "note": (
            "This model has no test score: it was trained on all speakers. cross_validated_ua is "
            "the score of the run's own students, each trained on fewer speakers."
        ),
        "run": replay.run.name,
        "plan_digest": replay.plan["digest"],
        "certificate_digest": replay.certificate.digest,
        "dataset": dataset["name"],
        "corpus_digest": dataset["corpus_digest"],
        "method": method,
        "seed": seed,
        "epochs": epochs,
        "training_utterances": len(replay.table.ids),
        "training_speakers": len({each.speaker for each in replay.table.utterances}),
        "cross_validated_ua": cross_validated(replay, method),
    }
