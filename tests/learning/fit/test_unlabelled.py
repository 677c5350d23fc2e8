"""Windows of unlabelled audio in a fit: what they are, and that they change nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import Tensor, nn

from serbench.api import (
    Batch,
    EpochEvent,
    Loss,
    LossShape,
    LossTerms,
    Need,
    Params,
    Student,
    StudentOutput,
    StudentShape,
)
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import Frames, Normaliser
from serbench.learning.fit import checkpoint
from serbench.learning.fit.audio import UnlabelledBatches
from serbench.learning.fit.loop import fit
from serbench.learning.fit.optimise import Optimisation
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import AugmentSettings

CPU = torch.device("cpu")
RATE_HZ = 100.0
SIZE = 80


class Taught(Loss):
    """Labels, and soft targets of windows without one, half as many."""

    name = "taught"
    Params = Params
    heard: Sequence[Batch] = ()

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"soft_targets"})

    @property
    def unlabelled(self) -> float:
        return 0.5

    def build(self, shape: LossShape) -> nn.Module:
        return Both()


class Alone(Taught):
    """The same without them."""

    @property
    def unlabelled(self) -> float:
        return 0.0


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Batch] = []
        self.others: list[Batch] = []

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        self.seen.append(batch)
        return {"total": nn.functional.cross_entropy(output.logits, batch.labels)}

    def unlabelled(self, batch: Batch, output: StudentOutput) -> LossTerms:
        self.others.append(batch)
        target = batch.teacher_logits[0].softmax(dim=-1)
        return {"total": nn.functional.cross_entropy(output.logits, target)}


class Normed(Student):
    """Means over frames, batch norm, a linear classifier."""

    name = "normed"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        return NormedNetwork(shape)


class NormedNetwork(nn.Module):
    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(shape.channels * shape.n_mels)
        self.classify = nn.Linear(shape.channels * shape.n_mels, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        x = self.norm((features.sum(dim=3) / lengths[:, None, None]).flatten(1))
        return StudentOutput(self.classify(x), x)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("unlabelled") / "noise", speakers=3, utterances=4)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    return frames_of(table, table.folder.parent / "features")


def speech(counts: Sequence[int] = (150, 60, 300), mels: int = 40) -> Frames:
    """Of each frame, which recording it is of, and in the last value its number."""
    values = [
        np.concatenate([np.full((n, mels - 1), k), np.arange(n)[:, None]], axis=1)
        for k, n in enumerate(counts)
    ]
    joined = np.concatenate(values).astype(np.float32)
    joined.flags.writeable = False
    count = np.array(counts, dtype=np.int64)
    ids = tuple(f"unlabelled/{k}" for k in range(len(counts)))
    return Frames(ids, joined, np.cumsum(count) - count, count, RATE_HZ, "synthetic")


def task_of(table: CorpusTable, frames: Frames, loss: type[Loss] = Taught) -> FitTask:
    """A teacher says k of unlabelled recording k, and nothing in particular of utterances."""
    split = outer_splits(table, "loso", 5)[0]
    chosen = candidate(loss=loss(Params()), student=Normed(Params()), epochs=4, batch_size=4)
    teacher = TeacherSignal(
        "t",
        logits=np.zeros((len(split.train.ids), 2), np.float32),
        layer_weights=np.ones(1, np.float32),
        unlabelled=np.arange(3, dtype=np.float32)[:, None].repeat(2, axis=1),
    )
    task = fit_task(table, split, frames, chosen, teachers=[teacher])
    return replace(task, unlabelled=speech() if loss is Taught else None)


def silent(_: EpochEvent) -> None:
    pass


def batches_of(task: FitTask, per_epoch: int = 50) -> UnlabelledBatches:
    scale = Normaliser(torch.full((40,), 2.0), torch.full((40,), 4.0))
    return UnlabelledBatches(task, scale, 4, SIZE, per_epoch, CPU)


def test_a_window_has_what_the_head_says_of_its_recording_and_no_label(
    table: CorpusTable, frames: Frames
) -> None:
    batches = batches_of(task_of(table, frames))
    drawn = [0, 0, 0]
    epoch = list(batches.epoch())
    assert len(epoch) == 50
    for rows, batch in epoch:
        assert batch.labels.tolist() == [-1, -1]  # half of 4
        assert batch.teacher_pooled == batch.teacher_frames == ()
        for n, row in enumerate(rows.tolist()):
            drawn[row] += 1
            assert batch.teacher_logits[0, n].tolist() == [row, row]
            real = int(batch.lengths[n])
            assert real == min(SIZE, int(speech().count[row]))
            window = batch.features[n, 0, :, :real] * 4.0 + 2.0  # by the partition's own scale
            torch.testing.assert_close(window[:-1], torch.full((39, real), float(row)))
            torch.testing.assert_close(window[-1].diff(), torch.ones(real - 1))
    assert drawn[1] < drawn[0] < drawn[2]  # in proportion to duration


def test_at_least_two_windows_come(table: CorpusTable, frames: Frames) -> None:
    scale = Normaliser.none(40)
    batches = UnlabelledBatches(task_of(table, frames), scale, 2, SIZE, 1, CPU)
    ((rows, _),) = batches.epoch()
    assert len(rows) == 2


def heard(task: FitTask, monkeypatch: pytest.MonkeyPatch) -> Both:
    """The loss of a fit, with all that it was given."""
    made: list[Both] = []

    def build(self: Loss, shape: LossShape) -> nn.Module:
        made.append(Both())
        return made[0]

    monkeypatch.setattr(type(task.loss), "build", build)
    fit(task, silent)
    return made[0]


def test_training_windows_are_those_of_a_fit_without(
    table: CorpusTable, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = AugmentSettings(time_masks=1, mel_masks=1, gain_db=6.0)
    seen: list[Both] = []
    for loss in (Taught, Alone):
        task = task_of(table, frames, loss)
        settings = task.settings.model_copy(update={"augment": masks})
        seen.append(heard(replace(task, settings=settings), monkeypatch))
    with_some, without = seen
    assert len(with_some.seen) == len(without.seen) == 4 * 4
    assert len(with_some.others) == 4 * 4  # one batch with each: the cost of an epoch is bounded
    assert without.others == []
    for one, other in zip(with_some.seen, without.seen, strict=True):
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.labels, other.labels)


def test_a_step_descends_the_sum_and_keeps_running_statistics(
    table: CorpusTable, frames: Frames
) -> None:
    torch.manual_seed(0)
    student = NormedNetwork(StudentShape(num_classes=2, n_mels=6, channels=1))
    settings = candidate(learning_rate=0.1).settings.training
    made = Optimisation(student, Both(), settings, 1, 1, CPU)
    generator = torch.Generator().manual_seed(1)

    def batch(rows: int, label: int) -> Batch:
        x = torch.randn(rows, 1, 6, 5, generator=generator) + 3.0 * (label < 0)
        labels = torch.full((rows,), label)
        logits = torch.randn(1, rows, 2, generator=generator)
        return Batch(x, torch.full((rows,), 5), labels, logits)

    one, other = batch(4, 1), batch(6, -1)
    twin = NormedNetwork(StudentShape(num_classes=2, n_mels=6, channels=1))
    twin.load_state_dict(student.state_dict())
    both = Both()
    total = both(one, twin(one.features, one.lengths))["total"]
    mean, variance = twin.norm.running_mean, twin.norm.running_var
    assert mean is not None
    assert variance is not None
    kept = mean.clone(), variance.clone()
    total = total + both.unlabelled(other, twin(other.features, other.lengths))["total"]
    total.backward()
    terms = made.step(one, unlabelled=other)
    assert terms["total"].item() == pytest.approx(total.item(), abs=1e-6)
    for own, expected in zip(student.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, expected.grad)
    assert not torch.equal(mean, kept[0])  # a plain pass would have moved them
    for own, expected in zip(
        (student.norm.running_mean, student.norm.running_var), kept, strict=True
    ):
        torch.testing.assert_close(own, expected)
    assert student.norm.momentum == 0.1


def test_a_fit_that_was_killed_goes_on_with_the_same_bits(
    table: CorpusTable, frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    whole = fit(task_of(table, frames), silent)

    class KilledError(Exception):
        pass

    def kill(event: EpochEvent) -> None:
        if event.epoch == 2:
            raise KilledError

    begun = replace(task_of(table, frames), checkpoint=tmp_path / "fit.pt")
    with pytest.raises(KilledError):
        fit(begun, kill)
    torch.manual_seed(99)
    result = fit(replace(task_of(table, frames), checkpoint=tmp_path / "fit.pt"), silent)
    np.testing.assert_array_equal(result.posteriors, whole.posteriors)
    assert result.history == whole.history
