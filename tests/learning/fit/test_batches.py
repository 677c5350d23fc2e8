from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests_support.runs import WINDOW_S, candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import Tensor

from serbench.api import Batch
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import Frames, Normaliser
from serbench.learning.fit.batches import TrainingBatches, teacher_sources
from serbench.learning.fit.loop import crops_of, fit
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import id_set_digest
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split
from serbench.settings import AugmentSettings
from serbench_akd.akd import Akd, AkdParams
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_front_ends.log_mel import LogMel, LogMelParams

CPU = torch.device("cpu")
RATE_HZ = 100.0


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("batches") / "noise", speakers=3, utterances=3)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    return frames_of(table, table.folder.parent / "features")


@pytest.fixture(scope="module")
def split(table: CorpusTable) -> Split:
    return outer_splits(table, "loso", 5)[0]


def batches_of(task: FitTask) -> TrainingBatches:
    reader = task.features.fitting(task.train, "test")
    return TrainingBatches(task, reader, Normaliser.fit(reader), teacher_sources(task, CPU), CPU)


def one_epoch(task: FitTask) -> list[Batch]:
    return [batch for _, batch in batches_of(task).epoch()]


def counting_teacher(split: Split, frames: Frames) -> TeacherSignal:
    """Everything a teacher says of training utterance n is n; its frames are their own times."""
    count = len(split.train.ids)
    lengths = (frames.count + 1) // 2  # 50 frames per second
    return TeacherSignal(
        name="counting",
        logits=np.tile(np.arange(count, dtype=np.float32)[:, None], (1, 2)),
        pooled=TrainingEmbeddings(
            np.random.default_rng(0).normal(3.0, 2.0, (count, 1, 5)).astype(np.float32),
            np.zeros(count, np.int64),
            ("s1",) * count,
        ),
        frames=Frames(
            frames.ids,
            np.concatenate([np.arange(n) for n in lengths])[:, None].astype(np.float32),
            np.cumsum(lengths) - lengths,
            lengths,
            RATE_HZ / 2,
            "counting",
        ),
        layer_weights=np.ones(1, np.float32),
    )


def test_an_epoch_has_each_utterance_at_most_once(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    chosen = candidate(batch_size=5, loss=Distillation(DistillationParams()))
    task = fit_task(table, split, frames, chosen, teachers=[counting_teacher(split, frames)])
    batches = batches_of(task)
    seen = []
    for _ in range(2):
        told, epoch = zip(*batches.epoch(), strict=True)
        assert [len(batch.labels) for batch in epoch] == [5, 5]  # of 12; two are left out
        rows = torch.cat([batch.teacher_logits[0, :, 0] for batch in epoch]).long()
        assert torch.equal(torch.cat(told), rows)
        assert len(set(rows.tolist())) == 10
        labels = torch.cat([batch.labels for batch in epoch])
        assert torch.equal(labels, torch.from_numpy(task.train.labels)[rows])
        seen.append(rows)
    assert not torch.equal(seen[0], seen[1])


def test_all_methods_get_the_same_windows(table: CorpusTable, frames: Frames, split: Split) -> None:
    teacher = counting_teacher(split, frames)
    augment = AugmentSettings(time_masks=1, mel_masks=1, gain_db=6.0)
    epochs = []
    for loss, teachers in ((None, []), (Distillation(DistillationParams()), [teacher])):
        task = fit_task(table, split, frames, candidate(loss=loss), teachers=teachers)
        object.__setattr__(task, "settings", task.settings.model_copy(update={"augment": augment}))
        torch.manual_seed(len(epochs))  # a student's initial weights draw from the global state
        epochs.append(one_epoch(task))
    for plain, taught in zip(*epochs, strict=True):
        assert torch.equal(plain.features, taught.features)
        assert torch.equal(plain.labels, taught.labels)
        assert plain.teacher_logits.shape == (0, 4, 2)
        assert taught.teacher_logits.shape == (1, 4, 2)


def test_windows_are_cut_from_the_utterance_and_padding_is_zero(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    task = fit_task(
        table, split, frames, candidate(loss=Distillation(DistillationParams())),
        teachers=[counting_teacher(split, frames)],
    )  # fmt: skip
    batches = batches_of(task)
    mean, deviation = batches.normaliser.mean.numpy(), batches.normaliser.deviation.numpy()
    size = round(WINDOW_S * RATE_HZ)
    short = 0
    for _, batch in batches.epoch():
        assert batch.features.shape == (4, 3, 40, size)
        for n in range(4):
            row = int(batch.teacher_logits[0, n, 0])
            place = frames.ids.index(task.train.ids[row])
            whole = frames.values[frames.start[place] :][: frames.count[place]]
            whole = ((whole - mean) / deviation).T
            length = int(batch.lengths[n])
            assert length == min(size, whole.shape[1])
            window = batch.features[n, 0].numpy()
            starts = [
                t for t in range(whole.shape[1] - length + 1)
                if np.allclose(whole[:, t : t + length], window[:, :length], atol=1e-5)
            ]  # fmt: skip
            assert len(starts) == 1
            assert np.all(batch.features[n, :, :, length:].numpy() == 0.0)
            short += length < size
    assert short > 0


def test_teacher_frames_are_of_the_same_time(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    chosen = candidate(loss=Akd(AkdParams.model_validate({"hint_target": "frames"})))
    assert "frames" in chosen.loss.needs
    task = fit_task(table, split, frames, chosen, teachers=[counting_teacher(split, frames)])
    batches = batches_of(task)
    starts = []
    original = batches.speech.windows

    def spy(rows: Tensor, first: Tensor, size: int) -> tuple[Tensor, Tensor]:
        starts.append(first)
        return original(rows, first, size)

    batches.speech.windows = spy  # pyright: ignore[reportAttributeAccessIssue]
    rows = [frames.ids.index(i) for i in task.train.ids]
    raw = np.concatenate([np.arange((frames.count[row] + 1) // 2) for row in rows])
    for number, (_, batch) in enumerate(batches.epoch()):
        # Standardised over the training partition; back to frame numbers.
        times = (batch.teacher_frames[0] * raw.std() + raw.mean()).round()
        assert times.shape == (4, round(WINDOW_S * RATE_HZ / 2), 1)
        begins = times[:, 0, 0] / (RATE_HZ / 2)
        assert (begins - starts[number] / RATE_HZ).abs().max() <= 0.5 / (RATE_HZ / 2) + 1e-6
        ends = times[torch.arange(4), batch.teacher_lengths[0] - 1, 0]
        assert torch.equal(ends - times[:, 0, 0], (batch.teacher_lengths[0] - 1).float())
        assert (batch.teacher_lengths[0] - batch.lengths / 2).abs().max() <= 1.0


def test_pooled_embeddings_are_standardised_on_the_training_side(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    loss = Akd(AkdParams())
    needs = type("Needy", (Akd,), {"needs": property(lambda _: frozenset({"pooled"}))})
    task = fit_task(
        table, split, frames, candidate(loss=needs(loss.params)),
        teachers=[counting_teacher(split, frames)],
    )  # fmt: skip
    pooled = teacher_sources(task, CPU).pooled[0]
    torch.testing.assert_close(pooled.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled.std(dim=0, correction=0), torch.ones(5))
    assert [r.what for r in task.train.fitted] == ["scale of counting's embeddings"]


def test_gain_moves_a_whole_window_by_one_amount(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    plain_task = fit_task(table, split, frames)
    loud_task = fit_task(table, split, frames)
    louder = AugmentSettings(time_masks=0, mel_masks=0, gain_db=6.0)
    settings = loud_task.settings.model_copy(update={"augment": louder})
    object.__setattr__(loud_task, "settings", settings)
    plain, loud = (next(batches_of(task).epoch())[1] for task in (plain_task, loud_task))
    deviation = batches_of(plain_task).normaliser.deviation
    moved = (loud.features - plain.features)[:, 0] * deviation[:, None]
    gains_db = []
    for n, length in enumerate(plain.lengths):
        change = moved[n, :, : int(length)] * 10.0 / np.log(10.0)
        assert change.max() - change.min() < 1e-3
        gains_db.append(float(change.mean()))
    assert max(map(abs, gains_db)) <= 6.0
    assert len({round(gain, 3) for gain in gains_db}) == len(gains_db)


def cropped(split: Split, frames: Frames) -> tuple[tuple[Frames, ...], TeacherSignal]:
    """Two crops of each utterance of 50 frames, and a teacher that says N·k + n of crop k of
    utterance n; a value of crop k of utterance n is 100 k + n everywhere.
    """
    crops, said, count = [], [], len(split.train.ids)
    for k in range(2):
        of = {i: 100.0 * k + n for n, i in enumerate(split.train.ids)}
        size, teacher_size = 50, 25
        values = np.repeat([of.get(i, np.nan) for i in frames.ids], size)[:, None]
        said_values = np.repeat([of.get(i, np.nan) for i in frames.ids], teacher_size)[:, None]
        for made, each, length, rate in (
            (crops, np.repeat(values, 40, axis=1), size, RATE_HZ),
            (said, said_values, teacher_size, RATE_HZ / 2),
        ):
            counts = np.full(len(frames.ids), length)
            starts = np.cumsum(counts) - counts
            made.append(Frames(frames.ids, each.astype("f4"), starts, counts, rate, f"crop {k}"))
    teacher = TeacherSignal(
        name="counting",
        logits=np.tile(np.arange(2 * count, dtype=np.float32)[:, None], (1, 2)),
        pooled=TrainingEmbeddings(
            np.arange(2 * count, dtype=np.float32)[:, None, None].repeat(5, axis=2),
            np.zeros(2 * count, np.int64),
            ("s1",) * 2 * count,
        ),
        frames=said[0],
        layer_weights=np.ones(1, np.float32),
        others=tuple(said[1:]),
    )
    return tuple(crops), teacher


def test_student_and_teachers_hear_the_same_crop(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    """Those of test utterances are not a number, and none comes up."""
    loss = Akd(AkdParams.model_validate({"hint_target": "frames"}))
    crops, teacher = cropped(split, frames)
    task = fit_task(table, split, frames, candidate(loss=loss), teachers=[teacher])
    augment = AugmentSettings(time_masks=0, mel_masks=0, gain_db=6.0, crops=2)
    settings = task.settings.model_copy(update={"augment": augment})
    task = replace(task, crops=crops, settings=settings)
    heard = crops_of(task, CPU)
    assert heard is not None
    batches = TrainingBatches(task, heard, Normaliser.none(40), teacher_sources(task, CPU), CPU)
    count = len(task.train.ids)
    frame = torch.cat([torch.arange(count), 100.0 + torch.arange(count)]).repeat_interleave(25)
    pooled = torch.arange(2.0 * count)
    came: set[int] = set()
    for _ in range(20):
        rows = []
        for row, batch in batches.epoch():
            said_of = batch.teacher_logits[0, :, 0].long()
            crop = torch.div(said_of, count, rounding_mode="floor")
            assert torch.equal(said_of % count, row)  # which utterances: readings are noted by them
            came |= set(said_of.tolist())
            rows += row.tolist()
            # No gain of its own: the crop has the one that the teachers hear.
            expected = (100.0 * crop + row)[:, None, None].expand(-1, 40, 50)
            assert torch.equal(batch.features[:, 0, :, :50], expected)
            assert torch.equal(batch.labels, torch.from_numpy(task.train.labels)[row])
            standard = (said_of - pooled.mean()) / pooled.std(correction=0)
            torch.testing.assert_close(batch.teacher_pooled[0][:, 0], standard)
            said = batch.teacher_frames[0][:, 0, 0] * frame.std(correction=0) + frame.mean()
            torch.testing.assert_close(said, 100.0 * crop + row, atol=1e-3, rtol=0)
        assert len(rows) == len(set(rows)) == 12  # of each utterance one crop
    assert came == set(range(2 * count))
    assert {each.digest for each in task.train.fitted} == {id_set_digest(task.train.ids)}


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_fit_on_crops_is_scaled_and_probed_by_whole_utterances(
    table: CorpusTable, frames: Frames, split: Split, epochs: int
) -> None:
    crops, teacher = cropped(split, frames)
    assert teacher.logits is not None
    plain = replace(teacher, logits=teacher.logits[: len(split.train.ids)], others=())
    chosen = candidate(loss=Distillation(DistillationParams()), probe=True, epochs=epochs)
    without, on_crops = (
        fit(replace(fit_task(table, split, frames, chosen, teachers=[t]), crops=c), lambda _: None)
        for t, c in ((plain, ()), (teacher, crops))
    )
    assert torch.equal(without.state["normaliser.mean"], on_crops.state["normaliser.mean"])
    assert np.array_equal(without.posteriors, on_crops.posteriors) == (epochs == 0)


def test_a_batch_is_as_long_as_its_longest_window_where_nothing_looks_beyond(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    plain = LogMel(LogMelParams(deltas=False))
    chosen = candidate(batch_size=2, front_end=plain)
    task = fit_task(table, split, frames, chosen)
    batches = batches_of(task)
    assert batches.size == round(WINDOW_S * RATE_HZ)
    last = torch.full((2,), 1.0 - 1e-6)  # windows begin as late as they may
    rows = batches.speech.count.argsort()[:2]
    whole = batches.taught_batch(rows, last)
    shortest = int(batches.speech.count[rows].max())
    assert whole.features.shape[-1] == int(whole.lengths.max()) == min(batches.size, shortest)


def test_without_masks_windows_stay_as_they_are(
    table: CorpusTable, frames: Frames, split: Split
) -> None:
    off = AugmentSettings(time_masks=0, mel_masks=0, gain_db=0.0)
    chosen = candidate(batch_size=5)
    settings = chosen.settings.model_copy(update={"augment": off})
    task = fit_task(table, split, frames, replace(chosen, settings=settings))
    batches = batches_of(task)
    rows, draw = torch.arange(4), torch.full((4,), 0.5)
    augmented, plain = batches._batch(rows, draw), batches.taught_batch(rows, draw)
    torch.testing.assert_close(augmented.features, plain.features, rtol=0, atol=0)
