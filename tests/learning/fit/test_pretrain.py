"""Label-free pretraining: what it hears, what it draws, what it gives, and what starts from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests_support.front_ends import front_end
from tests_support.pretraining import (
    Heir,
    HeirParams,
    Hinted,
    HintedParams,
    MapStudent,
    hinted,
    hints_only,
    pretrained_candidate,
)
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import nn
from torch.nn import functional as F

from serbench.api import EpochEvent, Loss, LossShape, Params, SerbenchError
from serbench.learning.extract import speech_frames
from serbench.learning.features import Frames
from serbench.learning.fit import audio, checkpoint
from serbench.learning.fit.audio import NO_LABEL, AudioBatches, DiskFrames
from serbench.learning.fit.loop import fit
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import FitTask, PretrainResult, PretrainTask, TeacherFrames
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import AugmentSettings, TrainingSettings

CPU = torch.device("cpu")
RATE_HZ, TEACHER_HZ = 100.0, 50.0
WINDOW_S = 0.8
MELS = 40


def silent(_: EpochEvent) -> None:
    pass


def frames(values: Sequence[NDArray[np.floating[Any]]], rate_hz: float) -> Frames:
    """Frames of recordings ``(frames, d)``, as read-only as a memory map."""
    joined = np.concatenate(values).astype(np.float32)
    joined.flags.writeable = False
    count = np.array([len(each) for each in values], dtype=np.int64)
    ids = tuple(f"unlabelled/{number}" for number in range(len(values)))
    return Frames(ids, joined, np.cumsum(count) - count, count, rate_hz, "synthetic")


def timed(durations_s: Sequence[float]) -> tuple[Frames, Frames]:
    """Features and teacher: of each frame which recording it is of, and its time in seconds."""

    def of(rate_hz: float, width: int) -> Frames:
        times = [np.arange(round(each * rate_hz)) / rate_hz for each in durations_s]
        values = [
            np.concatenate([np.full((len(t), width - 1), n), t[:, None]], axis=1)
            for n, t in enumerate(times)
        ]
        return frames(values, rate_hz)

    return of(RATE_HZ, MELS), of(TEACHER_HZ, 2)


def random_speech(recordings: int = 6, layers: int = 1) -> tuple[Frames, TeacherFrames]:
    """A teacher whose frames are a linear map of what the student hears."""
    rng = np.random.default_rng(0)
    mels = [rng.normal(3.0, 2.0, (120 + 40 * n, MELS)) for n in range(recordings)]
    mixing = rng.normal(0, 0.3, (MELS, 5 * layers))
    said = [np.repeat(each.mean(axis=0)[None], len(each) // 2, axis=0) @ mixing for each in mels]
    return frames(mels, RATE_HZ), TeacherFrames("linear", frames(said, TEACHER_HZ), layers)


def task_of(
    features: Frames, teachers: Sequence[TeacherFrames], seed: int = 1, **settings: Any
) -> PretrainTask:
    chosen = pretrained_candidate(candidate(), **settings)
    return PretrainTask(
        name="hinted/seed-0/pretraining",
        key="0" * 64,
        student=MapStudent(Params()),
        loss=hints_only(),
        settings=chosen.settings,
        front_end=chosen.front_end,
        num_classes=2,
        features=features,
        teachers=tuple(teachers),
        seed=seed,
        device="cpu",
    )


def small_task(seed: int = 1, **settings: Any) -> PretrainTask:
    features, teacher = random_speech()
    return task_of(features, [teacher], seed, **settings)


# ── batches ──────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_carries_no_label_and_no_soft_target() -> None:
    batches = AudioBatches(small_task(), CPU)
    for _, batch in batches.epoch():
        assert batch.labels.tolist() == [NO_LABEL] * 4
        assert batch.teacher_logits.shape == (0, 4, 2)
        assert batch.teacher_pooled == ()
        with pytest.raises(IndexError):  # what learns from labels after all cannot
            F.cross_entropy(torch.zeros(4, 2), batch.labels)
        with pytest.raises(RuntimeError):
            F.one_hot(batch.labels, 2)


def test_windows_are_drawn_in_proportion_to_duration_from_all_over_a_recording() -> None:
    features, teacher = timed([1.0, 3.0, 6.0])
    task = task_of(features, [TeacherFrames("times", teacher, 1)], batch_size=50)
    batches = AudioBatches(task, CPU)
    which, start_s = [], []
    for _ in range(40):
        for _, batch in batches.epoch():
            recording, time_s = unscaled(batches, batch.teacher_frames[0])
            which += recording[:, 0].round().int().tolist()
            start_s += time_s[:, 0].tolist()
    drawn, starts = np.array(which), np.array(start_s)
    assert len(drawn) == 2000
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), [0.1, 0.3, 0.6], atol=0.03)
    for number, duration_s in enumerate((1.0, 3.0, 6.0)):
        own, last_s = starts[drawn == number], duration_s - WINDOW_S
        assert own.min() < 0.05
        assert last_s - 0.1 < own.max() <= last_s + 0.5 / TEACHER_HZ
        np.testing.assert_allclose(own.mean(), last_s / 2, atol=0.03 * duration_s)


def teacher_of(batches: AudioBatches) -> DiskFrames:
    """The first teacher's frames."""
    frames = batches.teachers.frames[0]
    assert isinstance(frames, DiskFrames)
    return frames


def unscaled(batches: AudioBatches, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Recording and time of a teacher's frames, from what ``timed`` made of them."""
    normaliser = teacher_of(batches).normaliser
    plain = values * normaliser.deviation + normaliser.mean
    return plain[..., 0], plain[..., 1]


def test_an_epoch_is_as_many_windows_as_fit_into_the_audio() -> None:
    features, teacher = timed([4.0, 5.0])
    times = [TeacherFrames("times", teacher, 1)]
    batches = AudioBatches(task_of(features, times, batch_size=4), CPU)
    assert batches.per_epoch == 2  # 11 windows of 0.8 s, 4 in a batch
    assert len(list(batches.epoch())) == 2
    assert AudioBatches(task_of(features, times, batch_size=64), CPU).per_epoch == 1


def test_the_teachers_frames_are_of_the_same_time() -> None:
    features, teacher = timed([0.5, 1.1, 2.0, 3.0])
    task = task_of(features, [TeacherFrames("times", teacher, 1)], batch_size=16)
    batches = AudioBatches(task, CPU)
    short = 0
    for _ in range(5):
        for _, batch in batches.epoch():
            scale = batches.normaliser
            heard = batch.features[:, 0].transpose(1, 2) * scale.deviation + scale.mean
            assert heard.shape == (16, round(WINDOW_S * RATE_HZ), MELS)
            recording, time_s = unscaled(batches, batch.teacher_frames[0])
            assert recording.shape == (16, round(WINDOW_S * TEACHER_HZ))
            for n in range(16):
                own, given = int(batch.lengths[n]), int(batch.teacher_lengths[0][n])
                assert abs(own / RATE_HZ - given / TEACHER_HZ) <= 1.0 / TEACHER_HZ
                torch.testing.assert_close(
                    heard[n, :own, 0], torch.full((own,), float(recording[n, 0].round())),
                    atol=1e-3, rtol=0,
                )  # fmt: skip
                for mine, theirs in ((0, 0), (own - 1, given - 1)):
                    gap_s = abs(float(heard[n, mine, -1] - time_s[n, theirs]))
                    assert gap_s <= 1.01 / TEACHER_HZ
                assert not batch.features[n, :, :, own:].any()
                short += own < heard.shape[1]
    assert short > 0


def test_frames_are_scaled_to_mean_0_and_deviation_1_with_layers_mixed() -> None:
    features, teacher = random_speech(layers=3)
    batches = AudioBatches(task_of(features, [teacher]), CPU)
    raw = np.asarray(teacher.frames.values, np.float64).reshape(-1, 3, 5).mean(axis=1)
    for scale, expected in (
        (batches.normaliser, np.asarray(features.values, np.float64)),
        (teacher_of(batches).normaliser, raw),
    ):
        np.testing.assert_allclose(scale.mean, expected.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(scale.deviation, expected.std(axis=0), rtol=1e-5)
    assert teacher_of(batches).width == 5


@pytest.mark.parametrize("block", [7, 100_000])
def test_the_scale_does_not_depend_on_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "BLOCK_FRAMES", block)
    monkeypatch.setattr(audio, "SAMPLED_FRAMES", 300)
    features, teacher = random_speech()
    scale = AudioBatches(task_of(features, [teacher]), CPU).normaliser
    sample = np.asarray(features.values, np.float64)[:: len(features.values) // 300]
    np.testing.assert_allclose(scale.mean, sample.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale.deviation, sample.std(axis=0), rtol=1e-5)


def test_windows_are_augmented_and_teachers_hear_them_clean() -> None:
    features, teacher = random_speech()
    plain = task_of(features, [teacher])
    augment = AugmentSettings(time_masks=1, mel_masks=1, gain_db=6.0)
    loud = replace(plain, settings=plain.settings.model_copy(update={"augment": augment}))
    given = [next(AudioBatches(task, CPU).epoch())[1] for task in (plain, loud)]
    assert torch.equal(given[0].teacher_frames[0], given[1].teacher_frames[0])
    assert torch.equal(given[0].lengths, given[1].lengths)
    assert not torch.allclose(given[0].features, given[1].features)


# ── training ─────────────────────────────────────────────────────────────────────────────────────


def test_a_seed_decides_everything() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, again, other = (pretrain(small_task(seed), silent) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)  # the caller's draws are left alone
    for name, value in one.state.student.items():
        assert torch.equal(value, again.state.student[name])
        assert not torch.equal(value, other.state.student[name])
    assert torch.equal(one.state.loss["project.weight"], again.state.loss["project.weight"])
    assert one.history == again.history


def test_the_student_learns_what_its_teacher_says() -> None:
    heard: list[EpochEvent] = []
    result = pretrain(small_task(epochs=8), heard.append)
    losses = [terms["total"] for terms in result.history]
    assert losses[-1] < 0.7 * losses[0]
    name = "hinted/seed-0/pretraining"
    assert [(e.fit, e.epoch, e.epochs) for e in heard] == [(name, n, 8) for n in range(1, 9)]
    assert tuple(dict(event.terms) for event in heard) == result.history
    assert {event.validation_ua for event in heard} == {None}
    assert (result.name, result.key) == (name, "0" * 64)
    assert result.seconds > 0.0


@pytest.mark.parametrize("inherits", [True, False])
def test_a_loss_starts_from_what_an_inheriting_student_knows(inherits: bool) -> None:
    seen: list[int] = []

    class Started(Hinted):
        def build(self, shape: LossShape) -> nn.Module:
            module = super().build(shape)
            module.start = lambda pairs: seen.extend(len(batch.labels) for batch, _ in pairs)
            return module

    task = small_task(epochs=1)
    student = Heir(HeirParams()) if inherits else task.student
    pretrain(replace(task, student=student, loss=Started(hints_only().params)), silent)
    assert bool(seen) is inherits


def test_no_label_is_learnt_so_the_classifier_stays_as_it_was() -> None:
    short, long = (pretrain(small_task(epochs=n), silent).state.student for n in (1, 4))
    for name in short:
        assert torch.equal(short[name], long[name]) == name.startswith("classify.")


class Exploding(Hinted):
    def build(self, shape: LossShape) -> nn.Module:
        module = super().build(shape)
        with torch.no_grad():
            module.get_parameter("project.bias").fill_(torch.inf)
        return module


def test_a_loss_that_is_not_finite_is_told_with_a_way_out() -> None:
    task = replace(small_task(), loss=Exploding(HintedParams(labels=False)))
    with pytest.raises(SerbenchError, match=r"/pretraining: .*epoch 1 \(.*; lower pretrain\.learn"):
        pretrain(task, silent)


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────


class Noisy(Hinted):
    """Draws from torch's generator in each step, as dropout does."""

    def build(self, shape: LossShape) -> nn.Module:
        module = super().build(shape)
        module.register_forward_hook(
            lambda _, __, terms: terms | {"total": terms["total"] * (1.0 + torch.rand(()))}
        )
        return module


def noisy_task(checkpoint: Path | None) -> PretrainTask:
    augment = AugmentSettings(time_masks=1, mel_masks=1, gain_db=6.0)
    task = small_task(epochs=5, precision="fp32")
    settings = task.settings.model_copy(update={"augment": augment})
    loss = Noisy(HintedParams(labels=False))
    return replace(task, settings=settings, loss=loss, checkpoint=checkpoint)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 4])
def test_one_that_was_killed_goes_on_with_the_same_bits(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    whole = pretrain(noisy_task(None), silent)
    task = noisy_task(tmp_path / "checkpoints" / "begun.pt")

    def kill(event: EpochEvent) -> None:
        if event.epoch == after:
            raise KilledError

    with pytest.raises(KilledError):
        pretrain(task, kill)
    torch.manual_seed(99)  # another process begins elsewhere
    heard: list[EpochEvent] = []
    result = pretrain(task, heard.append)
    assert [(event.epoch, event.cached) for event in heard] == [
        (n, n <= after) for n in range(1, 6)
    ]
    assert result.history == whole.history
    for mine, theirs in (
        (result.state.student, whole.state.student), (result.state.loss, whole.state.loss),
    ):  # fmt: skip
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_damaged_checkpoint_is_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    task = noisy_task(tmp_path / "begun.pt")
    pretrain(task, silent)
    content = bytearray((tmp_path / "begun.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "begun.pt").write_bytes(content)
    heard: list[EpochEvent] = []
    pretrain(task, heard.append)
    assert not any(event.cached for event in heard)
    assert "is damaged" in caplog.text


def test_short_epochs_are_not_written_down_one_by_one(tmp_path: Path) -> None:
    pretrain(noisy_task(tmp_path / "begun.pt"), silent)
    assert not (tmp_path / "begun.pt").exists()


# ── fits that start from it ──────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def pretrained() -> PretrainResult:
    return pretrain(small_task(), silent)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """A fit of the same student, whose loss hints with five values too."""
    table = noise_table(tmp_path_factory.mktemp("start") / "noise", speakers=3, utterances=2)
    heard = frames_of(table, table.folder.parent / "features")
    rng = np.random.default_rng(1)
    said = [rng.normal(0, 1, (n // 2 + 1, 5)) for n in heard.count]
    teacher = replace(frames(said, TEACHER_HZ), ids=heard.ids)
    still = TrainingSettings(epochs=1, batch_size=4, learning_rate=1e-12, precision="fp32")
    chosen = hinted()
    chosen = replace(chosen, settings=chosen.settings.model_copy(update={"training": still}))
    return fit_task(
        table, outer_splits(table, "loso", 5)[0], heard, chosen,
        teachers=[TeacherSignal("random", frames=teacher)],
    )  # fmt: skip


def watched(loss: Loss, built: list[nn.Module]) -> Loss:
    """The loss, which notes the modules that it builds."""
    original = loss.build

    def build(shape: LossShape) -> nn.Module:
        built.append(original(shape))
        return built[-1]

    loss.build = build  # pyright: ignore[reportAttributeAccessIssue]
    return loss


def test_a_fit_starts_from_what_pretraining_gave(
    start: FitTask, pretrained: PretrainResult
) -> None:
    built: list[nn.Module] = []
    loss = watched(Hinted(HintedParams()), built)
    fresh = fit(start, silent)
    begun = fit(replace(start, loss=loss, initial=pretrained.state), silent)
    for name, value in pretrained.state.student.items():
        torch.testing.assert_close(begun.state[name], value, atol=1e-9, rtol=0)
    learnt = "project.weight"
    assert not torch.allclose(fresh.state[learnt], pretrained.state.student[learnt], atol=1e-2)
    for name, value in pretrained.state.loss.items():
        torch.testing.assert_close(built[0].state_dict()[name], value, atol=1e-9, rtol=0)


def test_a_projection_of_another_shape_starts_afresh(
    start: FitTask, pretrained: PretrainResult
) -> None:
    built: list[nn.Module] = []
    loss = watched(Hinted(HintedParams(extra=2)), built)
    begun = fit(replace(start, loss=loss, initial=pretrained.state), silent)
    assert built[0].get_parameter("project.weight").shape == (7, 6)
    weight = "project.weight"
    torch.testing.assert_close(begun.state[weight], pretrained.state.student[weight])


def test_two_starts_draw_the_same_windows(start: FitTask, pretrained: PretrainResult) -> None:
    """Pretrained or not, a comparison is of the same windows in the same order."""
    seen: list[list[torch.Tensor]] = []

    class Spy(Hinted):
        def build(self, shape: LossShape) -> nn.Module:
            module = super().build(shape)
            mine: list[torch.Tensor] = []
            module.register_forward_pre_hook(lambda _, given: mine.append(given[0].features))
            seen.append(mine)
            return module

    for initial in (None, pretrained.state):
        fit(replace(start, loss=Spy(HintedParams()), initial=initial), silent)
    assert len(seen[0]) == len(seen[1]) > 0
    assert all(map(torch.equal, *seen))


def test_frames_that_are_not_normalised_are_read_as_they_are(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=2)
    heard = front_end("whisper")
    features = speech_frames(table, heard, tmp_path / "cache", lambda *_: None)
    batches = AudioBatches(replace(task_of(features, []), front_end=heard), CPU)
    normaliser = batches.normaliser
    assert torch.equal(normaliser.mean, torch.zeros(80))
    assert torch.equal(normaliser.deviation, torch.ones(80))
    speech = torch.from_numpy(np.array(features.values))
    for _, batch in batches.epoch():
        assert batch.features.shape[1:3] == (1, 80)
        for window in batch.features[:, 0].transpose(1, 2):
            starts = (speech == window[0]).all(dim=1).nonzero().flatten().tolist()
            length = int((window != 0).any(dim=1).sum())
            assert any(torch.equal(speech[s : s + length], window[:length]) for s in starts)
