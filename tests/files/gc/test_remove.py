from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.cache_maker import CacheMaker

from serbench.files.gc.choose import Rules, choose
from serbench.files.gc.contents import CacheEntry, scan
from serbench.files.gc.kinds import KINDS
from serbench.files.gc.remove import Removed, remove


def entries(cache: CacheMaker) -> dict[str, CacheEntry]:
    return {entry.path: entry for entry in scan(cache.root).entries}


def test_files_folders_and_pairs_go_and_locks_stay(cache: CacheMaker) -> None:
    fit, embeddings, pair = cache.fit(1), cache.embeddings(1), cache.features(1)
    cache.file("deploy/converted/" + "ab" * 32 + "/model.pb/variables/data")
    kept = cache.fit(2)
    going = [entry for path, entry in entries(cache).items() if path != kept]
    size = sum(entry.size_bytes for entry in going)
    removed = remove(cache.root, going)
    assert removed == Removed(entries=4, files=8, size_bytes=size)
    assert cache.files() == {kept, f"{embeddings}.lock"}
    assert not (cache.root / embeddings).exists()
    assert (cache.root / fit).parent.is_dir()
    assert pair not in cache.files()


def test_what_vanished_is_no_error(cache: CacheMaker) -> None:
    fit, embeddings = cache.fit(1), cache.embeddings(1)
    seen = entries(cache)
    (cache.root / fit).unlink()
    (cache.root / embeddings / "index.jsonl").unlink()
    removed = remove(cache.root, seen.values())
    assert (removed.vanished, removed.entries, removed.files) == (2, 0, 0)
    assert (cache.root / embeddings / "frames.f16").exists()


def test_what_was_written_again_stays(cache: CacheMaker) -> None:
    fit, pair = cache.fit(1), cache.features(1)
    seen = entries(cache)
    cache.age(cache.root / fit, -1)
    (cache.root / f"{pair}.values.npy").write_bytes(b"longer")
    before = cache.files()
    removed = remove(cache.root, seen.values())
    assert removed.kept == [f"{path}: it was written again" for path in (pair, fit)]
    assert cache.files() == before


def test_a_folder_with_other_files_keeps_all_and_its_name(cache: CacheMaker) -> None:
    embeddings = cache.embeddings(1)
    seen = entries(cache)
    cache.file(f"{embeddings}/notes.txt")
    before = cache.files()
    removed = remove(cache.root, seen.values())
    assert removed.kept == [f"{embeddings}: it holds other files too"]
    assert cache.files() == before


def test_a_temporary_folder_goes_but_for_what_came_into_it(cache: CacheMaker) -> None:
    one, other = (f"deploy/models/.{'ab' * 32}.{pid}.tmp" for pid in (1, 2))
    for folder in (one, other):
        cache.file(f"{folder}/deep/model.json", days=9)
    seen = entries(cache)
    cache.file(f"{other}/new")
    assert remove(cache.root, seen.values()).files == 2
    assert cache.files() == {f"{other}/new"}
    assert not (cache.root / one).exists()


def test_embeddings_in_use_stay(cache: CacheMaker) -> None:
    embeddings = cache.embeddings(1)
    seen = entries(cache)
    with FileLock(cache.root / f"{embeddings}.lock"):
        removed = remove(cache.root, seen.values())
    assert removed.kept == [f"{embeddings}: in use"]
    assert (cache.root / embeddings / "complete.json").exists()


def test_a_folder_that_became_a_link_is_not_entered(cache: CacheMaker, tmp_path: Path) -> None:
    fit = cache.root / cache.fit(1)
    seen = entries(cache)
    fit.parent.rename(tmp_path / "moved")
    fit.parent.symlink_to(tmp_path / "moved")
    (kept,) = remove(cache.root, seen.values()).kept
    assert "reached through a link" in kept
    assert (tmp_path / "moved" / fit.name).exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be removed")
def test_what_may_not_be_removed_is_told(cache: CacheMaker) -> None:
    fit = cache.root / cache.fit(1)
    seen = entries(cache)
    fit.parent.chmod(0o500)
    try:
        (failed,) = remove(cache.root, seen.values()).failed
    finally:
        fit.parent.chmod(0o700)
    assert "Permission denied" in failed


def test_a_failure_is_told_and_the_others_go_on(
    cache: CacheMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = cache.fit(1), cache.fit(2)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == Path(first).name:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    removed = remove(cache.root, entries(cache).values())
    assert removed.failed == [f"{first}: Permission denied"]
    assert cache.files() == {first}
    assert second not in cache.files()


NAMES = st.sampled_from(
    [
        *(f"fits/{n:02x}/{f'{n:02x}' * 32}.safetensors" for n in (1, 2, 3)),
        f"fits/.{'01' * 32}.safetensors.71-0a1b2c3d.tmp",
        f"fits/01/{'01' * 32}.safetensors.bak",
        *(f"features/{1:024x}.{part}.npy" for part in ("values", "counts")),
        *(f"embeddings/e-{1:032x}/{name}" for name in ("frames.f16", "index.jsonl", "mine.txt")),
        f"embeddings/e-{1:032x}.lock",
        *(f"deploy/models/{'ab' * 32}/{name}" for name in ("model.json", "deep/window.onnx")),
        f"deploy/models/.{'ab' * 32}.71.tmp/model.json",
        *("corpora/demo/a.wav", "corpora/.demo-abcdefgh/a.wav", "downloads/demo/a.zip"),
        *("audio/0123456789abcdef.json", "thesis.tex", "users/71-0a1b2c3d.lock", "fits/readme"),
    ]
)
RULES = st.builds(
    Rules,
    kinds=st.lists(st.sampled_from(list(KINDS)), unique=True, max_size=3).map(tuple),
    older_than_s=st.sampled_from([None, 0.0, 20 * 86_400.0]),
    even_used=st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(
    tree=st.dictionaries(NAMES, st.floats(0, 60), max_size=12),
    rules=RULES,
    referenced=st.sets(st.sampled_from([f"{n:02x}" * 32 for n in (1, 2, 3)])),
)
def test_nothing_is_removed_but_what_was_chosen(
    tree: dict[str, float], rules: Rules, referenced: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache = CacheMaker(Path(name).resolve() / "cache")
        cache.root.mkdir()
        outside = CacheMaker(cache.root.parent / "outside")
        for path, days in tree.items():
            cache.file(path, days)
            outside.file(path, days)
        (cache.root / "deploy").mkdir(exist_ok=True)
        (cache.root / "deploy" / "posteriors").symlink_to(outside.root / "fits")
        (cache.root / "replays").symlink_to(outside.root)
        before, untouched = cache.files(), outside.files()
        choices = choose(scan(cache.root).entries, rules, frozenset(referenced), cache.now_s)
        chosen = [choice.entry for choice in choices if choice.goes]
        removed = remove(cache.root, chosen)
        kept = {line.partition(":")[0] for line in removed.kept}
        gone = {file.path for entry in chosen if entry.path not in kept for file in entry.files}
        assert before - cache.files() == gone
        made = cache.files() - before
        assert all(path.endswith(".lock") for path in made)
        assert outside.files() == untouched
        assert not removed.failed
        assert all(entry.startswith("embeddings/") for entry in kept)
        for file in gone:
            assert not any(key in file for key in referenced) or _may_go(file, rules, tree)


def _may_go(file: str, rules: Rules, tree: dict[str, float]) -> bool:
    """A fit of a stored run goes only when it may, or is damaged, as all are here, and old."""
    return rules.even_used or tree[file] > 1
