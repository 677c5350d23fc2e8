from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import safetensors.torch
from tests_support.cache_maker import CacheMaker
from tests_support.replays import make_replayable, open_replay

from serbench.api import StoreError
from serbench.files.cache_kinds import FOLDERS, CacheKind
from serbench.files.gc.contents import CacheEntry, scan
from serbench.files.gc.kinds import KINDS, place_of
from serbench.files.kept import SUMS

SOURCE = Path(__file__).parents[3] / "serbench"
DIGEST = "0123456789abcdef" * 4


def kinds(entries: tuple[CacheEntry, ...]) -> dict[str, str]:
    return {entry.path: entry.kind for entry in entries}


def test_everything_that_a_run_and_its_replay_keep_is_known(tmp_path: Path) -> None:
    make_replayable(tmp_path)
    replay = open_replay(tmp_path)
    student = replay.students_of(())[0]
    replay.predict_kept(
        student, replay.frames(student.candidate.front_end), replay.segments(student)
    )
    found = scan(tmp_path / "cache")
    assert (found.foreign, found.links) == ((), ())
    assert {entry.kind for entry in found.entries} == {
        "fits", "soft-targets", "embeddings", "features", "audio", "near", "replays",
    }  # fmt: skip
    assert [entry.damage for entry in found.entries if entry.damage] == []
    everything = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    held = [file.path for entry in found.entries for file in entry.files]
    assert len(set(held)) == len(held)
    assert len(held) == len([p for p in everything if p.suffix != ".lock"])


def test_every_writer_keeps_things_in_the_folder_of_a_kind() -> None:
    found = [
        path
        for path in SOURCE.rglob("*.py")
        if re.search(r'\bcache(?:_folder\(\)|_folder)? / ["f]', path.read_text("utf-8"))
    ]
    assert found == []
    assert set(KINDS) == {"temporaries", *FOLDERS} == {"temporaries", *get_args(CacheKind)}


@pytest.mark.parametrize(
    ("path", "kind", "entry"),
    [
        ("fits/ab/.ab12.safetensors.71-0a1b2c3d.tmp", "temporaries", None),
        (f"deploy/models/.{DIGEST}.71.tmp/model.json", "temporaries", 2),
        (f"deploy/converted/.{DIGEST}.71.gc.tmp/a/b", "temporaries", 2),
        (f"embeddings/.encoder-{DIGEST[:32]}.71.gc.tmp/frames.f16", "temporaries", 1),
        ("corpora/.emodb-ab_12cd9/wav/a.wav", "temporaries", 1),
        ("audio/audio/0123456789abcdef.json.71.tmp", "temporaries", None),
        (f"embeddings/encoder-{DIGEST[:32]}/.complete.json.7-0a1b2c3d.tmp", "temporaries", None),
        ("users/71-0a1b2c3d.lock", "temporaries", None),
        (f"deploy/models/{DIGEST}/window.onnx", "models", 2),
        (f"deploy/converted/{DIGEST}/model.pb/variables/data", "converted", 2),
        (f"deploy/posteriors/01/{DIGEST}.safetensors", "posteriors", None),
        (f"checkpoints/{DIGEST}.pt", "checkpoints", None),
        ("downloads/emodb/download.zip.part", "downloads", 1),
        ("corpora/demo/wav/a.wav", "corpora", 1),
        (f"near/near/{DIGEST[:16]}/pairs/{DIGEST}.json", "near", None),
    ],
)
def test_places(path: str, kind: str, entry: int | None) -> None:
    place = place_of(path)
    assert place is not None
    whole = path if entry is None else "/".join(path.split("/")[: entry + 1])
    assert (place.kind, str(place.path), place.is_folder) == (kind, whole, entry is not None)
    assert kind in KINDS


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "fits/notes.txt",
        f"fits/01/{DIGEST}.safetensors.bak",
        f"fits/02/{DIGEST}.safetensors",
        f"fits/{DIGEST}.safetensors",
        f"models/01/{DIGEST}.safetensors",
        f"embeddings/encoder-{DIGEST[:32]}/notes.txt",
        "embeddings/mine/frames.f16",
        "features/0123.values.npy",
        f"deploy/models/{DIGEST}",
        "corpora/readme.txt",
        "thesis/.x.71-0a1b2c3d.tmp",
        "fits/.x.tmp",
        "users/71.lock",
        f"../fits/01/{DIGEST}.safetensors",
    ],
)
def test_what_is_not_known(path: str) -> None:
    assert place_of(path) is None


def test_entries_say_of_which_kind_they_are(cache: CacheMaker) -> None:
    said: tuple[CacheKind, ...] = ("fits", "soft-targets", "pretraining", "prune", "posteriors")
    made = {cache.fit(n, kind=kind): kind for n, kind in enumerate(said)}
    assert kinds(scan(cache.root).entries) == made


@pytest.mark.parametrize("said", [{}, {"kind": "spells"}])
def test_an_entry_that_says_no_known_kind_is_what_its_folder_is(
    cache: CacheMaker, said: dict[str, str]
) -> None:
    content = safetensors.torch.save({}, {**said, "json": "{}", "sha256": ""})
    path = f"fits/01/{'01' * 32}.safetensors"
    cache.file(path, content=content)
    (entry,) = scan(cache.root).entries
    assert (entry.kind, entry.damage) == ("fits", "")


def test_a_look_leaves_the_times_as_they_were(cache: CacheMaker) -> None:
    path = cache.root / cache.fit(1, days=50)
    before = path.stat()
    (entry,) = scan(cache.root).entries
    after = path.stat()
    assert (after.st_atime_ns, after.st_mtime_ns) == (before.st_atime_ns, before.st_mtime_ns)
    assert entry.used_s == pytest.approx(cache.now_s - 50 * 86_400, abs=1)


def test_reading_counts_as_use(cache: CacheMaker) -> None:
    cache.kept("audio/0123456789abcdef.json", days=90, read=2)
    (entry,) = scan(cache.root).entries
    assert entry.used_s == pytest.approx(cache.now_s - 2 * 86_400, abs=1)
    assert entry.written_s == pytest.approx(cache.now_s - 90 * 86_400, abs=1)


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_a_cut_fit_is_damaged(cache: CacheMaker, cut: int) -> None:
    path = cache.root / cache.fit(1)
    path.write_bytes(path.read_bytes()[:cut])
    (entry,) = scan(cache.root).entries
    assert entry.damage
    assert entry.kind == "fits"


@pytest.mark.parametrize(
    "path",
    [
        "audio/0123456789abcdef.json",
        f"near/{DIGEST[:16]}/fingerprints/{DIGEST[:32]}.npz",
        f"near/{DIGEST[:16]}/pairs/{DIGEST}.json",
        f"features/{DIGEST[:24]}.values.npy",
    ],
)
def test_a_kept_file_that_is_cut_is_damaged(cache: CacheMaker, path: str) -> None:
    if path.startswith("features"):
        cache.kept(path.replace("values", "counts"))
    place = cache.kept(path)
    assert [entry.damage for entry in scan(cache.root).entries] == [""]
    for content in (place.read_bytes()[:-1], b"", b"x"):
        place.write_bytes(content)
        assert [bool(entry.damage) for entry in scan(cache.root).entries] == [True]


@pytest.mark.parametrize("kind", ["models", "converted"])
def test_a_model_without_checksums_is_damaged(cache: CacheMaker, kind: str) -> None:
    path = f"deploy/{kind}/{DIGEST}"
    cache.file(f"{path}/model.onnx")
    assert [entry.damage for entry in scan(cache.root).entries] == [f"lacks {SUMS}"]
    cache.kept(f"{path}/{SUMS}")
    assert [entry.damage for entry in scan(cache.root).entries] == [""]


def test_embeddings_that_are_begun_are_not_damaged(cache: CacheMaker) -> None:
    begun, whole = cache.embeddings(1, complete=False), cache.embeddings(2)
    found = {entry.path: entry for entry in scan(cache.root).entries}
    assert set(found) == {begun, whole}
    assert not any(entry.damage for entry in found.values())
    (cache.root / whole / "pooled.f32").unlink()
    damaged = {entry.path: entry.damage for entry in scan(cache.root).entries}
    assert damaged == {begun: "", whole: "lacks pooled.f32"}


def test_links_are_named_and_never_entered(cache: CacheMaker, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "ab"
    elsewhere.mkdir(parents=True)
    (elsewhere / f"{'ab' * 32}.safetensors").touch()
    (cache.root / "fits").symlink_to(elsewhere.parent)
    (cache.root / "prune").mkdir()
    (cache.root / "prune" / "ab").symlink_to(elsewhere)
    found = scan(cache.root)
    assert (found.entries, found.foreign, found.links) == ((), (), ("fits", "prune/ab"))


def test_a_cache_that_is_a_link_is_looked_through(cache: CacheMaker, tmp_path: Path) -> None:
    made = cache.fit(1)
    (tmp_path / "link").symlink_to(cache.root)
    found = scan(tmp_path / "link")
    assert found.root == cache.root
    assert set(kinds(found.entries)) == {made}


def test_no_cache_is_empty_and_a_file_is_an_error(tmp_path: Path) -> None:
    assert scan(tmp_path / "none").entries == ()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is not a folder"):
        scan(tmp_path / "file")
