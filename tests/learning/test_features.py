from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests_support.damage import DAMAGES, turn_a_bit
from tests_support.front_ends import LOG_MEL, front_end
from tests_support.small_disk import SmallDisk, open_on_small_disk
from tests_support.tables import noise_table
from torch import Tensor

from serbench.api import CorpusError, LeakageError, StoreError, StudentShape
from serbench.learning import features, frame_files
from serbench.learning.extract import speech_frames
from serbench.learning.features import (
    FrameReader,
    Frames,
    Normaliser,
    TrainingFrames,
    student_input,
)
from serbench.learning.fit.augment import spec_augment
from serbench.learning.front_ends import shape_of
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits


def test_frames_are_cached_and_equal(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=2)
    cold = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    for file in table.folder.glob("*.wav"):
        file.unlink()
    warm = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    np.testing.assert_array_equal(cold.values, warm.values)
    assert cold.digest == warm.digest
    assert warm.count.sum() == len(warm.values)


@pytest.mark.parametrize("part", ["values", "counts"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_frames_are_computed_anew_and_said(
    tmp_path: Path, part: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=2)
    ask = partial(speech_frames, table, LOG_MEL, tmp_path / "cache")
    due = np.array(ask(lambda *_: None).values)
    (file,) = tmp_path.glob(f"cache/features/*.{part}.npy")
    before = file.read_bytes()
    DAMAGES[damage](file)
    np.testing.assert_array_equal(ask(lambda *_: None).values, due)
    assert f"{file} is damaged" in caplog.text
    assert file.read_bytes() == before


def test_frames_that_were_computed_before_a_stop_are_kept(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=1)
    due = speech_frames(table, LOG_MEL, tmp_path / "straight", lambda *_: None)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        speech_frames(table, LOG_MEL, tmp_path / "cache", stop)
    for utterance in table.utterances[:2]:
        utterance.path.unlink()
    told: list[int] = []
    made = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda done, total: told.append(done))
    assert told == [3, 4, 4]
    np.testing.assert_array_equal(made.values, due.values)
    np.testing.assert_array_equal(made.count, due.count)


def test_a_file_that_changed_since_costs_no_other_files_frames(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=1)
    content = table.utterances[3].path.read_bytes()
    turn_a_bit(table.utterances[3].path)
    with pytest.raises(CorpusError, match="its audio has changed since the corpus was read"):
        speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    table.utterances[0].path.unlink()
    table.utterances[3].path.write_bytes(content)
    frames = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    assert len(frames.count) == 4


def test_another_front_end_is_another_cache_entry(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=1)
    one = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    two = speech_frames(table, front_end(n_mels=20), tmp_path / "cache", lambda *_: None)
    assert one.digest != two.digest
    assert two.values.shape[1] == 20


@pytest.mark.parametrize(("kind", "width"), [("whisper", 80), ("waveform", 160)])
def test_front_ends_of_one_channel_say_so(tmp_path: Path, kind: str, width: int) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=1)
    settings = front_end(kind)
    frames = speech_frames(table, settings, tmp_path / "cache", lambda *_: None)
    assert frames.values.shape[1] == width
    assert (frames.channels, shape_of(settings, 7)) == (1, StudentShape(7, 1, width))
    again = speech_frames(table, settings, tmp_path / "cache", lambda *_: None)
    np.testing.assert_array_equal(again.values, frames.values)


def test_fitting_on_a_validation_side_raises_l6(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=3, utterances=2)
    frames = speech_frames(table, LOG_MEL, tmp_path / "cache", lambda *_: None)
    from serbench.protocol.splits.inner import inner_splits

    outer = outer_splits(table, "loso", 5)
    inner = inner_splits(table, outer, 0, "units")
    frames.fitting(PartitionView(inner[0].train, table), "normaliser")
    with pytest.raises(LeakageError) as raised:
        frames.fitting(PartitionView(inner[0].test, table), "normaliser")
    assert raised.value.code == "L6"


def held(frames: FrameReader) -> Tensor:
    """The values of a reader that has copied them."""
    assert frames.values is not None
    return frames.values


def reader(counts: list[int], bins: int = 4) -> TrainingFrames:
    count = np.array(counts, dtype=np.int64)
    values = np.random.default_rng(3).normal(size=(count.sum(), bins)).astype(np.float32)
    ids = tuple(f"u{n}" for n in range(len(counts)))
    return TrainingFrames(Frames(ids, values, np.cumsum(count) - count, count, 100.0, "x"), ids)


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    size=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_windows_stay_in_their_utterance(counts: list[int], size: int, seed: int) -> None:
    source = reader(counts)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(counts), 6)
    first = np.array([rng.integers(0, counts[row]) for row in rows])
    windows, lengths = source.windows(torch.from_numpy(rows), torch.from_numpy(first), size)
    for window, length, row, start in zip(windows, lengths, rows, first, strict=True):
        begin = sum(counts[:row])
        own = held(source)[begin : begin + counts[row]]
        real = min(size, counts[row] - start)
        assert length == real
        assert torch.equal(window[:real], own[start : start + real])
        assert torch.equal(window[real:], own[start + real - 1].expand(size - real, -1))


def test_normaliser_gives_mean_0_and_deviation_1() -> None:
    source = reader([50, 70])
    normalised = Normaliser.fit(source)(held(source))
    torch.testing.assert_close(normalised.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)


def rows(values: np.ndarray) -> TrainingFrames:
    """One row for each utterance."""
    ids, count = tuple(map(str, range(len(values)))), np.ones(len(values), np.int64)
    frames = Frames(
        ids, values.astype(np.float32), np.arange(len(values)), count, 0.0, "x", 1, True
    )
    return TrainingFrames(frames, ids)


def test_rows_have_scales_of_their_own_and_what_never_varies_is_0() -> None:
    values = np.random.default_rng(0).normal(size=(20, 4)) * [1e-5, 1.0, 1e6, 0.0] + [1, 0, 0, 0.3]
    source = rows(values)
    normalised = Normaliser.fit(source)(held(source)).double().numpy()
    exact = held(source).double().numpy()
    expected = (exact - exact.mean(0)) / np.where(exact.std(0) > 1e-7, exact.std(0), 1)
    np.testing.assert_allclose(normalised, expected, atol=1e-2)
    assert np.abs(normalised[:, 3]).max() == 0


def test_a_range_is_that_of_the_partition() -> None:
    values = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0]])
    normaliser = Normaliser.fit(rows(values), "range")
    found = normaliser(torch.tensor([[1.0, 5.0], [3.0, 5.0], [5.0, 6.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]))


def regression_slope(x: np.ndarray) -> np.ndarray:
    """Δ of (frames,) from its formula, ends repeated."""
    padded = np.concatenate([x[:1], x[:1], x, x[-1:], x[-1:]])
    slopes = [
        sum(n * (padded[t + 2 + n] - padded[t + 2 - n]) for n in (1, 2)) / 10 for t in range(len(x))
    ]
    return np.array(slopes)


def test_deltas_equal_the_formula_and_padding_changes_nothing() -> None:
    x = torch.randn(2, 20, 3)
    lengths = torch.tensor([20, 13])
    x[1, 13:] = x[1, 12]
    batch = student_input(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        for mel in range(3):
            static = x[row, :length, mel].double().numpy()
            first = regression_slope(static)
            np.testing.assert_allclose(batch[row, 0, mel, :length], static, atol=1e-6)
            np.testing.assert_allclose(batch[row, 1, mel, :length], 3 * first, atol=1e-5)
            second = 6 * regression_slope(first)
            np.testing.assert_allclose(batch[row, 2, mel, :length], second, atol=1e-5)
        assert not batch[row, :, :, length:].any()


def test_one_channel_is_the_frames_with_padding_at_0() -> None:
    x, lengths = torch.randn(2, 20, 3), torch.tensor([20, 13])
    batch = student_input(x, lengths, channels=1)
    assert torch.equal(batch[0, 0], x[0].T)
    assert torch.equal(batch[1, 0, :, :13], x[1, :13].T)
    assert not batch[1, 0, :, 13:].any()


def test_spec_augment_masks_no_more_than_asked_and_is_seeded() -> None:
    x = torch.ones(64, 50, 40)
    lengths = torch.full((64,), 50)
    mask = partial(spec_augment, time_masks=1, time_mask_frames=10, mel_masks=1, mel_mask_bins=5)
    one = mask(x, lengths, torch.Generator().manual_seed(1))
    two = mask(x, lengths, torch.Generator().manual_seed(1))
    assert torch.equal(one, two)
    masked_frames = (one == 0).all(dim=2).sum(dim=1)
    masked_bins = (one == 0).all(dim=1).sum(dim=1)
    assert masked_frames.max() == 10
    assert masked_bins.max() == 5
    assert set(one.unique().tolist()) == {0.0, 1.0}


def test_spec_augment_without_masks_changes_nothing() -> None:
    x = torch.randn(3, 20, 8)
    lengths = torch.full((3,), 20)
    generator = torch.Generator().manual_seed(0)
    same = spec_augment(
        x, lengths, generator, time_masks=0, time_mask_frames=9, mel_masks=2, mel_mask_bins=0
    )
    assert torch.equal(same, x)


def test_masks_hold_what_they_are_to_be_filled_with() -> None:
    x, lengths = torch.randn(8, 50, 6), torch.full((8,), 50)
    mask = partial(spec_augment, time_masks=1, time_mask_frames=20, mel_masks=1, mel_mask_bins=3)
    fill = torch.arange(48.0).reshape(8, 1, 6) + 10.0
    zeros = mask(x, lengths, torch.Generator().manual_seed(1))
    filled = mask(x, lengths, torch.Generator().manual_seed(1), fill=fill)
    masked = zeros != x
    assert 0 < masked.sum() < masked.numel()
    assert torch.equal(filled[masked], fill.expand_as(x)[masked])
    assert torch.equal(filled[~masked], x[~masked])


def test_frames_read_for_evaluation_follow_the_asked_order(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=2)
    frames: Frames = speech_frames(table, LOG_MEL, tmp_path / "c", lambda *_: None)
    a, b = frames.ids[0], frames.ids[-1]
    turned = frames.evaluation([b, a])
    assert turned.count.tolist() == [frames.count[-1], frames.count[0]]
    np.testing.assert_array_equal(
        held(turned)[: frames.count[-1]].numpy(), frames.values[frames.start[-1] :]
    )


def test_a_normaliser_that_leaves_all_as_it_is_makes_no_copy() -> None:
    values = torch.randn(5, 3)
    assert Normaliser.none(3)(values) is values
    assert Normaliser(torch.zeros(3), torch.tensor([1.0, 1.0, 2.0]))(values) is not values


def test_frames_in_float16_are_normalised_window_by_window() -> None:
    count = np.array([9000, 300], dtype=np.int64)
    values = np.random.default_rng(0).normal(3.0, 2.0, (9300, 4)).astype(np.float16)
    ids, start = ("a", "b"), np.cumsum(count) - count
    half = TrainingFrames(Frames(ids, values, start, count, 100.0, "x"), ids)
    full = TrainingFrames(Frames(ids, values.astype(np.float32), start, count, 100.0, "x"), ids)
    one, other = Normaliser.fit(half), Normaliser.fit(full)
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.deviation, other.deviation)
    half.normalise(one)
    full.normalise(one)
    assert held(half).dtype == torch.float16
    cut = (torch.tensor([0, 1]), torch.tensor([8990, 0]), 200)
    for a, b in zip(half.windows(*cut), full.windows(*cut), strict=True):
        torch.testing.assert_close(a, b)


def mapped(counts: list[int], kind: type = np.float32) -> tuple[Frames, tuple[str, ...]]:
    """Frames of a small corpus."""
    count = np.array(counts, dtype=np.int64)
    values = np.random.default_rng(5).normal(-4.0, 2.0, (int(count.sum()), 6)).astype(kind)
    ids = tuple(f"u{n}" for n in range(len(counts)))
    return Frames(ids, values, np.cumsum(count) - count, count, 100.0, "x"), ids


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize("normalise", ["partition", "range"])
def test_windows_from_the_map_are_those_from_memory(
    monkeypatch: pytest.MonkeyPatch, kind: type, normalise: str
) -> None:
    frames, ids = mapped([9000, 30, 700, 1], kind)
    chosen, others = (ids[3], ids[0], ids[1]), (frames, replace(frames, values=frames.values * 2))
    resident = TrainingFrames(frames, chosen, *others)
    monkeypatch.setattr(features, "RESIDENT_BYTES", 0)
    read = TrainingFrames(frames, chosen, *others)
    assert read.values is None
    assert torch.equal(torch.cat([*read.blocks()]), torch.cat([*resident.blocks()]))
    one, other = Normaliser.fit(resident, normalise), Normaliser.fit(read, normalise)
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.deviation, other.deviation)
    resident.normalise(one)
    read.normalise(other)
    rows = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8])
    for first in (torch.zeros(9, dtype=torch.int64), (resident.count - 3).clamp_min(0)):
        for a, b in zip(
            resident.windows(rows, first, 40), read.windows(rows, first, 40), strict=True
        ):
            assert torch.equal(a, b)


def test_a_reader_of_the_map_holds_windows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = np.full(200, 1000, dtype=np.int64)
    np.save(tmp_path / "values.npy", np.ones((200_000, 10), np.float32))
    values = np.load(tmp_path / "values.npy", mmap_mode="r")
    ids = tuple(map(str, range(200)))
    frames = Frames(ids, values, np.cumsum(count) - count, count, 100.0, "x")
    monkeypatch.setattr(features, "RESIDENT_BYTES", 1_000_000)
    tracemalloc.start()
    try:
        read = TrainingFrames(frames, ids)
        read.normalise(Normaliser.fit(read))
        for rows in torch.arange(200).split(10):
            read.windows(rows, torch.zeros(10, dtype=torch.int64), 300)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < values.nbytes / 4


def test_frames_go_on_after_the_last_whole_block_of_a_killed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(frame_files, "BLOCK_BYTES", 1_000)
    pieces = [np.random.default_rng(n).normal(size=(n + 9, 8)).astype("f4") for n in range(20)]
    files = frame_files.FrameFiles(tmp_path / "features" / "0123")
    killed = frame_files.FrameWriter(files)
    for piece in pieces[:11]:
        killed.add(piece)
    killed.__exit__(None)  # closed, as by the system, with no chance to write what waits
    blocks = files.file("blocks.part")
    blocks.write_bytes(blocks.read_bytes() + b'{"counts": [9')  # torn in the middle of a line
    with files.file("values.part").open("ab") as values:
        values.write(b"torn, too")
    assert files.read(20) is None
    with frame_files.FrameWriter(files) as writer:
        assert 7 < len(writer.counts) <= 11
        for piece in pieces[len(writer.counts) :]:
            writer.add(piece)
        writer.finish()
    values, count = files.written(20)
    np.testing.assert_array_equal(values, np.concatenate(pieces))
    assert count.tolist() == [len(piece) for piece in pieces]
    assert not caplog.text
    assert sorted(path.name for path in files.path.parent.iterdir()) == [
        "0123.counts.npy", "0123.values.npy",
    ]  # fmt: skip


def test_a_damaged_block_and_those_behind_it_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(frame_files, "BLOCK_BYTES", 1)
    files = frame_files.FrameFiles(tmp_path / "0123")
    stopped = frame_files.FrameWriter(files)
    for n in range(4):
        stopped.add(np.full((2, 8), n, np.float32))
    stopped.__exit__(None)
    with files.file("values.part").open("r+b") as values:
        values.seek(frame_files.HEAD_BYTES + 2 * 64 + 3)
        values.write(b"\xff")
    with frame_files.FrameWriter(files) as writer:
        assert writer.counts == [2, 2]
    assert "a block has another checksum" in caplog.text


@pytest.mark.parametrize(
    ("blocks", "more_bytes", "kept"),
    [(0, 0, 0), (0, 900, 0), (1, 20, 0), (1, 900, 1), (2, 900, 2)],
    ids=["nothing", "part of a block", "part of its line", "a block", "two blocks"],
)
def test_a_full_disk_ends_in_a_message_and_the_same_command_continues(
    blocks: int, more_bytes: int, kept: int,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=4)
    due = speech_frames(table, LOG_MEL, tmp_path / "straight", lambda *_: None)
    monkeypatch.setattr(frame_files, "BLOCK_BYTES", 1)
    ask = partial(speech_frames, table, LOG_MEL, tmp_path / "cache")
    room = due.values[: due.count[:blocks].sum()].nbytes + more_bytes
    with monkeypatch.context() as full:
        full.setattr(frame_files, "_open_at", open_on_small_disk)
        full.setattr(SmallDisk, "room", room)
        with pytest.raises(StoreError, match=r"No space left.*run the same command again"):
            ask(lambda *_: None)
    told: list[int] = []
    made = ask(lambda done, total: told.append(done))
    assert told[0] == kept + 1
    np.testing.assert_array_equal(made.values, due.values)
    assert not caplog.text
