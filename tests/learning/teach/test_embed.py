from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch
from tests_support.damage import DAMAGES, turn_a_bit
from tests_support.small_disk import SmallDisk, open_on_small_disk

from serbench.api import (
    CorpusCard,
    Params,
    PluginError,
    StoreError,
    Teacher,
    TeacherCard,
    TeacherError,
    TeacherFeatures,
)
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.learning.teach import embed as embed_module
from serbench.learning.teach.cache import EmbeddingWriter
from serbench.learning.teach.embed import BLOCK_S, batches, embed_corpus, embedding_key
from serbench_runtime.audio.read import pcm_digest

CPU = torch.device("cpu")


class ToyParams(Params):
    gain: float = 1.0


class Toy(Teacher):
    """Two layers; frames are chunks of 160 samples; counts what it is asked to do."""

    name: ClassVar[str] = "toy"
    Params: ClassVar[type[ToyParams]] = ToyParams
    frame_rate_hz = 100.0

    def __init__(self, params: ToyParams | None = None, digest: str = "weights-1") -> None:
        self.params = params or ToyParams()
        self.digest = digest
        self.loaded = 0
        self.seen: list[int] = []
        self.stop_after = 10**9

    @property
    def card(self) -> TeacherCard:
        return TeacherCard("toy", "x", "x", "x", ())

    @property
    def model_digest(self) -> str:
        return self.digest

    def load(self, device: torch.device) -> None:
        self.loaded += 1

    def embed(self, waveforms: Sequence[torch.Tensor]) -> Sequence[TeacherFeatures]:
        if len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        self.seen.extend(len(w) for w in waveforms)
        return [self.features(w) for w in waveforms]

    def features(self, waveform: torch.Tensor) -> TeacherFeatures:
        chunks = waveform[: len(waveform) // 160 * 160].reshape(-1, 160)[:, :3]
        frames = torch.stack([chunks, 2 * chunks]) * self.params.gain  # (2, F, 3)
        pooled = torch.cat([frames.mean(1), frames.std(1, correction=0)], dim=-1)
        return TeacherFeatures(pooled, frames)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    folder = tmp_path_factory.mktemp("corpus")
    draw = np.random.default_rng(0)
    utterances = []
    for number in range(10):
        waveform = (draw.normal(size=16_000 + 1_600 * ((number * 7) % 10)) * 0.1).astype(np.float32)
        path = folder / f"u{number}.wav"
        soundfile.write(path, waveform, 16_000, subtype="FLOAT")
        seconds = len(waveform) / 16_000
        utterances.append(
            Utterance(
                path.stem,
                path,
                f"s{number % 3}",
                None,
                "a",
                None,
                seconds,
                16_000,
                1,
                pcm_digest(waveform),
            )
        )
    card = CorpusCard("t", "en", "x", "x", "x", "synthetic", ("a",))
    return CorpusTable("toy", card, folder, tuple(utterances), "digest")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_module, "BLOCK_RECORDINGS", 3)


def embed(teacher: Toy, table: CorpusTable, cache: Path):
    return embed_corpus(teacher, "toy-1", table, cache, CPU, lambda _done, _total: None)


def whole(table: CorpusTable) -> dict[str, TeacherFeatures]:
    read = (soundfile.read(u.path, dtype="float32")[0] for u in table.utterances)
    return {i: Toy().features(torch.from_numpy(w)) for i, w in zip(table.ids, read, strict=True)}


def test_embeddings_are_the_teachers_own(table: CorpusTable, tmp_path: Path) -> None:
    embeddings = embed(Toy(), table, tmp_path)
    assert embeddings.ids == table.ids
    assert embeddings.frame_rate_hz == 100.0
    assert embeddings.frames.dtype == np.float16
    for id_, due in whole(table).items():
        np.testing.assert_array_equal(embeddings.pooled_of([id_])[0], due.pooled)
        held = embeddings.frames_of(id_)  # (F, L, D)
        np.testing.assert_array_equal(held, due.frames.half().numpy().swapaxes(0, 1))
    assert int(embeddings.frame_count.sum()) == len(embeddings.frames)


def test_second_run_loads_nothing(table: CorpusTable, tmp_path: Path) -> None:
    first = embed(Toy(), table, tmp_path)
    again = Toy()
    second = embed(again, table, tmp_path)
    assert (again.loaded, again.seen) == (0, [])
    assert second.digest == first.digest
    np.testing.assert_array_equal(second.stored_pooled, first.stored_pooled)
    np.testing.assert_array_equal(second.frames, first.frames)


def test_interrupted_pass_goes_on(table: CorpusTable, tmp_path: Path) -> None:
    due = embed(Toy(), table, tmp_path / "straight")
    cut = Toy()
    cut.stop_after = 6
    with pytest.raises(KeyboardInterrupt):
        embed(cut, table, tmp_path / "cut")
    rest = Toy()
    resumed = embed(rest, table, tmp_path / "cut")
    assert (len(cut.seen), len(rest.seen)) == (6, 4)
    np.testing.assert_array_equal(resumed.stored_pooled, due.stored_pooled)
    assert resumed.digest == due.digest
    for id_ in table.ids:
        np.testing.assert_array_equal(resumed.frames_of(id_), due.frames_of(id_))


@pytest.mark.parametrize("name", ["frames.f16", "pooled.f32", "index.jsonl"])
def test_half_a_batch_is_dropped(table: CorpusTable, tmp_path: Path, name: str) -> None:
    """As after kill -9 in the midst of writing any of the files."""
    cut = Toy()
    cut.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        embed(cut, table, tmp_path)
    (file,) = tmp_path.glob(f"embeddings/*/{name}")
    with file.open("ab") as stream:
        stream.write(b'{"ids": ["u')
    rest = Toy()
    resumed = embed(rest, table, tmp_path)
    assert len(rest.seen) == 7
    for id_, due in whole(table).items():
        np.testing.assert_array_equal(resumed.pooled_of([id_])[0], due.pooled)


@pytest.mark.parametrize("name", ["frames.f16", "pooled.f32"])
def test_lost_data_are_made_anew(table: CorpusTable, tmp_path: Path, name: str) -> None:
    """As after a power cut that lost data which the index already names."""
    cut = Toy()
    cut.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        embed(cut, table, tmp_path)
    (file,) = tmp_path.glob(f"embeddings/*/{name}")
    file.write_bytes(file.read_bytes()[:-2])
    rest = Toy()
    embed(rest, table, tmp_path)
    assert len(rest.seen) == 10


@pytest.mark.parametrize("name", ["frames.f16", "pooled.f32", "index.jsonl", "complete.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cache_is_made_anew_and_said(
    table: CorpusTable, tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    due = embed(Toy(), table, tmp_path)
    kept, frames = due.stored_pooled.copy(), np.array(due.frames)
    (file,) = tmp_path.glob(f"embeddings/*/{name}")
    DAMAGES[damage](file)
    again = Toy()
    with caplog.at_level(logging.WARNING):
        made = embed(again, table, tmp_path)
    assert len(again.seen) == 10
    assert f"{file.parent} is damaged" in caplog.text
    np.testing.assert_array_equal(made.stored_pooled, kept)
    np.testing.assert_array_equal(made.frames, frames)


@pytest.mark.parametrize("name", ["frames.f16", "pooled.f32", "index.jsonl"])
def test_no_damaged_batch_is_gone_on_with(
    table: CorpusTable, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    due = embed(Toy(), table, tmp_path / "straight")
    cut = Toy()
    cut.stop_after = 6
    with pytest.raises(KeyboardInterrupt):
        embed(cut, table, tmp_path)
    (file,) = tmp_path.glob(f"embeddings/*/{name}")
    turn_a_bit(file, 0.9)  # in the second batch
    rest = Toy()
    resumed = embed(rest, table, tmp_path)
    assert len(rest.seen) == 7
    assert resumed.digest == due.digest
    assert "continuing after 3 utterances" in caplog.text


def test_key_follows_weights_params_and_audio(table: CorpusTable) -> None:
    keys = {
        embedding_key(Toy(), table),
        embedding_key(Toy(digest="weights-2"), table),
        embedding_key(Toy(ToyParams(gain=2.0)), table),
        embedding_key(Toy(), CorpusTable("t", table.card, table.folder, table.utterances[1:], "")),
    }
    assert len(keys) == 4
    renamed = CorpusTable("other", table.card, Path("/elsewhere"), table.utterances, "")
    assert embedding_key(Toy(), renamed) in keys


def test_batches_hold_each_utterance_once_and_stay_small(table: CorpusTable) -> None:
    made = list(batches(table.utterances))
    assert sorted(u.id for batch in made for u in batch) == sorted(table.ids)
    lengths = [u.duration_s for batch in made for u in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(b) <= 3 and len(b) * b[0].duration_s <= BLOCK_S for b in made)


def test_progress_ends_at_all_seconds(table: CorpusTable, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    embed_corpus(Toy(), "toy-1", table, tmp_path, CPU, lambda *step: told.append(step))
    total = round(sum(u.duration_s for u in table.utterances))
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


class Broken(Toy):
    """Gives what the contract does not allow."""

    def __init__(self, change: str) -> None:
        super().__init__()
        self.change = change

    def embed(self, waveforms: Sequence[torch.Tensor]) -> Sequence[TeacherFeatures]:
        good = list(super().embed(waveforms))
        first = good[0]
        match self.change:
            case "count":
                return good[1:]
            case "pooled":
                good[1] = TeacherFeatures(first.pooled[:, :1], first.frames)
            case "empty":
                good[1] = TeacherFeatures(first.pooled, first.frames[:, :0])
            case "nan":
                good[1] = TeacherFeatures(first.pooled * torch.nan, first.frames)
            case "memory":
                raise torch.OutOfMemoryError
        return good


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("count", PluginError, "gave 2 embeddings for 3 utterances"),
        ("pooled", PluginError, r"pooled \(2, 1\)"),
        ("empty", PluginError, r"frames \(2, 0, 3\)"),
        ("nan", TeacherError, "the embedding is not finite"),
        ("memory", TeacherError, "runs out of memory on 3 utterances of up to 1.9 s"),
    ],
)
def test_broken_teachers(
    table: CorpusTable, tmp_path: Path, change: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        embed(Broken(change), table, tmp_path)


def test_frames_beyond_half_precision_are_cut_to_it(table: CorpusTable, tmp_path: Path) -> None:
    embeddings = embed(Toy(ToyParams(gain=1e7)), table, tmp_path)
    assert np.isfinite(embeddings.frames).all()
    assert np.abs(embeddings.frames).max() == np.finfo(np.float16).max
    assert np.abs(embeddings.stored_pooled).max() > 1e5


def test_no_room_on_disk(
    table: CorpusTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = type("Usage", (), {"free": 100})()
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    with pytest.raises(TeacherError, match="not enough disk space for the embeddings"):
        embed(Toy(), table, tmp_path)


@pytest.mark.parametrize(
    ("batches", "more_bytes", "kept"),
    [(0, 0, 0), (0, 900, 0), (0, 3900, 0), (1, 100, 1), (2, 100, 2)],
    ids=["nothing", "part of the frames", "part of a line", "a batch", "two batches"],
)
def test_a_full_disk_ends_in_a_message_and_the_same_command_continues(
    batches: int, more_bytes: int, kept: int,
    table: CorpusTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    due = embed(Toy(), table, tmp_path / "straight")
    (index,) = tmp_path.glob("straight/embeddings/*/index.jsonl")
    head, *lines = index.read_text().splitlines(keepends=True)
    counts = [sum(json.loads(line)["frames"]) for line in lines[:batches]]
    held = 12 * sum(counts) + 3 * 48 * batches + len("".join(lines[:batches]))  # 2 layers
    with monkeypatch.context() as full:
        full.setattr(
            EmbeddingWriter,
            "_open",
            lambda own, *name: open_on_small_disk(own.folder / name[0], name[1]),
        )
        full.setattr(SmallDisk, "room", held + (len(head) if batches else 0) + more_bytes)
        with pytest.raises(TeacherError, match=r"No space left.*run the same command again"):
            embed(Toy(), table, tmp_path / "cache")
    rest = Toy()
    made = embed(rest, table, tmp_path / "cache")
    assert len(rest.seen) == 10 - 3 * kept
    assert made.digest == due.digest
    assert not caplog.text


def test_cache_in_the_place_of_a_file(table: CorpusTable, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(StoreError, match="set SERBENCH_CACHE"):
        embed(Toy(), table, tmp_path / "cache")


def test_index_is_one_line_per_batch(table: CorpusTable, tmp_path: Path) -> None:
    embed(Toy(), table, tmp_path)
    (file,) = tmp_path.glob("embeddings/*/index.jsonl")
    head, *lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert head == {"layers": 2, "pooled_dim": 6, "frame_dim": 3}
    assert [len(line["ids"]) for line in lines] == [3, 3, 3, 1]
