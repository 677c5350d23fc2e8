from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from tests_support.probing import WIDTH, ProbedNetwork, ProbedStudent, UnprobedStudent
from tests_support.runs import LinearStudent, candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import nn

from serbench.api import (
    EpochEvent,
    LeakageError,
    Params,
    PluginError,
    SplitError,
    Student,
    StudentShape,
)
from serbench.data.corpus.table import CorpusTable
from serbench.learning.evaluate import utterance_posteriors
from serbench.learning.features import Frames, Normaliser, TrainingFrames, student_input
from serbench.learning.fit.loop import fit
from serbench.learning.fit.probe import choose_strength, probe, set_statistics, windows_of
from serbench.learning.fit.task import FitTask
from serbench.learning.segments import Cutting, segment_partition
from serbench.learning.teach.crossfit import SoftTargets, cross_fit, unit_groups
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Partition, Split
from serbench.settings import HeadSettings


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("probe") / "noise", speakers=4, utterances=3)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    return frames_of(table, table.folder.parent / "features")


@pytest.fixture(scope="module")
def outer(table: CorpusTable) -> Split:
    return outer_splits(table, "loso", 5)[0]


def silent(_: EpochEvent) -> None:
    pass


def task_of(
    table: CorpusTable, frames: Frames, split: Split, student: Student | None = None, **more: object
) -> FitTask:
    chosen = candidate(
        student=student or ProbedStudent(Params()), **{"probe": True, "epochs": 0, **more}
    )
    return fit_task(table, split, frames, chosen)


def normalised(task: FitTask) -> TrainingFrames:
    speech = task.features.fitting(task.train, "test")
    speech.values = Normaliser.fit(speech)(speech.values.float())
    return speech


def network_of(task: FitTask) -> ProbedNetwork:
    torch.manual_seed(task.seed)
    return ProbedNetwork(StudentShape(task.num_classes))


def test_windows_are_those_of_evaluation(table: CorpusTable, frames: Frames, outer: Split) -> None:
    task = task_of(table, frames, outer)
    rows, first = windows_of(normalised(task), task.settings.segments)
    windows = task.settings.segments
    due = segment_partition(table, outer.train, Cutting(windows.window_s, windows.overlap_s))
    assert [task.train.ids[row] for row in rows] == [segment.utt_id for segment in due]
    starts = np.array([segment.t_start_s for segment in due])
    np.testing.assert_allclose(first.numpy() / frames.rate_hz, starts, atol=1.01 / frames.rate_hz)
    assert (np.bincount(rows) > 1).any()
    assert (np.bincount(rows) == 1).any()


def read(task: FitTask, network: ProbedNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of ``embed`` of the training windows one by one, float64, and whose they are."""
    speech = normalised(task)
    rows, first = windows_of(speech, task.settings.segments)
    size = round(task.settings.segments.window_s * speech.rate_hz)
    values: list[np.ndarray] = []
    network.eval()
    for row, start in zip(rows, first, strict=True):
        piece, length = speech.windows(row[None], start[None], size)
        x = student_input(piece[:, : int(length)], length, 3)
        flat = x.mean(dim=3).flatten(1)
        with torch.no_grad():
            values.append(network.upper(network.lower(flat))[0].double().numpy())
    return np.array(values), rows.numpy()


def test_it_is_the_minimum_of_scikit_learns_objective_on_standardised_embeddings(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    task = task_of(table, frames, outer)
    network = network_of(task)
    inputs, rows = read(task, network)
    probe(task, network, normalised(task))
    weights = 1.0 / np.bincount(rows)[rows]
    mean = np.average(inputs, axis=0, weights=weights)
    variance = np.average((inputs - mean) ** 2, axis=0, weights=weights)
    state = network.state_dict()
    np.testing.assert_allclose(state["embed.running_mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["embed.running_var"], variance, rtol=1e-4)
    standard = (inputs - mean) / np.sqrt(variance)
    labels, units = task.train.labels[rows], np.array(task.train.units)[rows]
    strength = chosen_strength(standard, labels, units, weights, task.settings.head)
    due = logistic(standard, labels, weights, strength)
    with torch.no_grad():
        embedding = network.embed(torch.from_numpy(inputs).float())
        posterior = network.classify(embedding).double().softmax(dim=1).numpy()
    np.testing.assert_allclose(posterior, due.predict_proba(standard), atol=1e-3)


def logistic(
    inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray, strength: float
) -> LogisticRegression:
    # Of two classes scikit-learn has one vector of weights, w, and we have w / 2 and -w / 2.
    model = LogisticRegression(C=2 * strength, max_iter=10_000, tol=1e-8)
    return model.fit(inputs, labels, sample_weight=weights)


def chosen_strength(
    inputs: np.ndarray,
    labels: np.ndarray,
    units: np.ndarray,
    weights: np.ndarray,
    settings: HeadSettings,
) -> float:
    """By held-out log-likelihood, anew."""
    likelihood = dict.fromkeys(settings.strengths, 0.0)
    for group in unit_groups(units.tolist(), settings.groups):
        out = np.isin(units, group)
        mean = np.average(inputs[~out], axis=0, weights=weights[~out])
        deviation = np.sqrt(np.average((inputs[~out] - mean) ** 2, axis=0, weights=weights[~out]))
        scaled = (inputs - mean) / deviation
        for strength in settings.strengths:
            model = logistic(scaled[~out], labels[~out], weights[~out], strength)
            log_p = log_softmax(model.decision_function(scaled[out])[:, None] * [0.0, 1.0], axis=1)
            own = log_p[np.arange(out.sum()), labels[out]]
            likelihood[strength] += float(weights[out] @ own)
    return max(likelihood, key=likelihood.__getitem__)


def test_strengths_are_tried_until_the_likelihood_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(90) % 3
    values = draw.normal(size=(90, 1, 40)) + 0.3 * draw.normal(size=(3, 1, 40))[labels]
    units = tuple(f"s{n // 9}" for n in range(90))
    train = TrainingEmbeddings(values.astype(np.float32), labels, units)
    settings = HeadSettings(strengths=(0.0001, 0.001, 0.01, 0.1, 1.0, 10.0))
    whole = cross_fit(train, settings, 3)
    tried: list[float] = []

    def noted(train: TrainingEmbeddings, settings: HeadSettings, classes: int) -> SoftTargets:
        tried.extend(settings.strengths)
        return cross_fit(train, settings, classes)

    monkeypatch.setattr("serbench.learning.fit.probe.cross_fit", noted)
    assert choose_strength(train, settings, 3) == whole.strength
    assert tried == sorted(settings.strengths)[: len(tried)]
    assert tried[-2] == whole.strength
    assert len(tried) < len(settings.strengths)


@pytest.mark.parametrize("student", [ProbedStudent, LinearStudent])
def test_nothing_but_the_classifier_and_the_statistics_is_changed(
    table: CorpusTable, frames: Frames, outer: Split, student: type[Student]
) -> None:
    task = task_of(table, frames, outer, student(Params()))
    network = task.student.build(StudentShape(task.num_classes))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    probe(task, network, normalised(task))
    changed = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    statistics = {"embed.running_mean", "embed.running_var"} if student is ProbedStudent else set()
    assert changed == {"classify.weight", "classify.bias"} | statistics


def test_no_epoch_is_the_probe_alone(table: CorpusTable, frames: Frames, outer: Split) -> None:
    heard: list[EpochEvent] = []
    results = [fit(task_of(table, frames, outer), heard.append) for _ in range(2)]
    result = results[0]
    assert (heard, result.history, result.best_epoch) == ([], (), 0)
    assert (result.step_seconds, dict(result.readings)) == (0.0, {})
    assert [record.what for record in result.fitted] == [
        "student of plain", "normaliser", "linear probe of plain",
    ]  # fmt: skip
    assert {record.utterances for record in result.fitted} == {len(outer.train.ids)}
    task = task_of(table, frames, outer)
    network = network_of(task)
    probe(task, network, normalised(task))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(result.state[name], value)
    np.testing.assert_array_equal(results[1].posteriors, result.posteriors)
    labels = [table.labels.index(table.by_id[i].label) for i in result.ids]
    assert (result.posteriors.argmax(axis=1) == labels).mean() > 0.9


def test_training_goes_on_from_the_probe(table: CorpusTable, frames: Frames, outer: Split) -> None:
    alone = fit(task_of(table, frames, outer), silent)
    still = {"epochs": 2, "learning_rate": 1e-9, "freeze": ["embed"], "weight_decay": 0.0}
    after = fit(task_of(table, frames, outer, **still), silent)
    assert len(after.history) == 2
    np.testing.assert_allclose(after.posteriors, alone.posteriors, atol=1e-5)


def test_early_stopping_also_considers_the_probe(
    table: CorpusTable, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where training makes it worse, the probe is kept, and the refit is one."""
    folds = outer_splits(table, "loso", 5)
    units = tuple(unit for unit in folds[0].train.units if unit not in folds[1].test.units)
    ids = tuple(i for i in folds[0].train.ids if table.by_id[i].speaker in units)
    inner = Split(
        "inner",
        Partition("outer-1/inner-1/train", ids, units),
        Partition("outer-1/inner-1/validation", folds[1].test.ids, folds[1].test.units,
                  "validation"),
    )  # fmt: skip
    wild = {"epochs": 6, "learning_rate": 50.0, "early_stopping": True, "patience": 2}
    stopped = fit(task_of(table, frames, inner, **wild, clip_norm=None), silent)
    assert stopped.validation_ua is not None
    kept = fit(task_of(table, frames, inner), silent)
    assert stopped.best_epoch == 0
    assert len(stopped.history) == 2
    np.testing.assert_array_equal(stopped.posteriors, kept.posteriors)


def test_a_student_without_a_classifier_is_refused_before_training(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    heard: list[EpochEvent] = []
    told = r"^training\.probe: student 'unprobed' has no `classify`.*training\.probe = false$"
    with pytest.raises(PluginError, match=told):
        fit(task_of(table, frames, outer, UnprobedStudent(Params()), epochs=2), heard.append)
    assert heard == []


def test_only_a_training_side_is_probed(table: CorpusTable, frames: Frames, outer: Split) -> None:
    task = task_of(table, frames, outer)
    sealed = replace(outer.test, role="validation")
    other = replace(task, train=PartitionView(sealed, table))
    with pytest.raises(LeakageError, match="L6"):
        probe(other, network_of(task), normalised(task))


def test_one_speaker_cannot_be_cross_fitted(table: CorpusTable, frames: Frames) -> None:
    ids = tuple(i for i in table.ids if table.by_id[i].speaker == table.utterances[0].speaker)
    alone = Partition("outer-1/train", ids, (table.utterances[0].speaker,))
    split = replace(outer_splits(table, "loso", 5)[1], train=alone)
    with pytest.raises(SplitError, match="linear probes are cross-fitted"):
        fit(task_of(table, frames, split), silent)


def test_a_class_that_training_lacks_is_unlikely_everywhere(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    task = replace(task_of(table, frames, outer), num_classes=4)
    network = network_of(task)
    probe(task, network, normalised(task))
    inputs, _ = read(task, network)
    with torch.no_grad():
        embedding = network.embed(torch.from_numpy(inputs).float())
        posterior = softmax(network.classify(embedding).double().numpy(), axis=1)
    assert posterior[:, 2:].max() <= 1 / (len(inputs) + 1)
    assert posterior[:, 2:].min() > 0.0


def test_statistics_are_weighted_population_moments() -> None:
    embed = nn.BatchNorm1d(WIDTH, affine=False)
    inputs = torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([1.0, 0.5, 0.5, 1.0, 1.0, 0.25, 0.75], dtype=torch.float64)
    set_statistics(embed, inputs, weights)
    mean = np.average(inputs.double(), axis=0, weights=weights)
    variance = np.average((inputs.double().numpy() - mean) ** 2, axis=0, weights=weights)
    state = embed.state_dict()
    np.testing.assert_allclose(state["running_mean"], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state["running_var"], variance, rtol=1e-5)


def test_scores_average_the_posteriors_that_the_probe_was_fitted_for(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    task = task_of(table, frames, outer)
    result = fit(task, silent)
    network = network_of(task)
    probe(task, network, normalised(task))
    speech = task.features.evaluation(result.ids)
    values = Normaliser(result.state["normaliser.mean"], result.state["normaliser.deviation"])
    windows, owners = [], []
    for row, utterance in enumerate(result.ids):
        for segment in (s for s in task.segments if s.utt_id == utterance):
            first = torch.tensor([round(segment.t_start_s * speech.rate_hz)])
            piece, length = speech.windows(torch.tensor([row]), first, 80)
            with torch.no_grad():
                logits = network(student_input(values(piece.float()), length, 3), length).logits
            windows.append(logits[0].softmax(dim=0).numpy())
            owners.append(row)
    due = utterance_posteriors(np.array(windows), owners, len(result.ids))
    np.testing.assert_allclose(result.posteriors, due, atol=1e-5)
