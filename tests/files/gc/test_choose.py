from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.cache_maker import CacheMaker

from serbench.api import StoreError
from serbench.files.gc.choose import DAY_S, Choice, Rules, choose, parse_age
from serbench.files.gc.contents import scan
from serbench.files.gc.references import referenced_keys

TEMPORARY = "fits/.x.safetensors.71-0a1b2c3d.tmp"


def fates(
    cache: CacheMaker, rules: Rules | None = None, *referenced: str
) -> dict[str, tuple[bool, str]]:
    keys = frozenset(Path(path).stem for path in referenced)
    found: tuple[Choice, ...] = choose(
        scan(cache.root).entries, rules or Rules(), keys, cache.now_s
    )
    return {choice.entry.path: (choice.goes, choice.why) for choice in found}


def test_by_default_goes_what_is_old_damaged_or_left_behind(cache: CacheMaker) -> None:
    old, new, stored = cache.fit(1, days=31), cache.fit(2, days=29), cache.fit(3, days=99)
    damaged, fresh = cache.fit(4), cache.fit(5)
    for path, days in ((damaged, 2), (fresh, 0.5)):
        (cache.root / path).write_bytes(b"")
        cache.age(cache.root / path, days)
    cache.file(TEMPORARY, days=2)
    cache.file(TEMPORARY.replace("71", "72"), days=0.5)
    cache.file("corpora/demo/a.wav", days=99)
    cache.file("downloads/emodb/a.zip.part", days=99)
    assert fates(cache, None, stored) == {
        old: (True, "unused for long"),
        new: (False, "used recently"),
        stored: (False, "in stored runs"),
        damaged: (True, "damaged"),
        fresh: (False, "from today"),
        TEMPORARY: (True, "left over"),
        TEMPORARY.replace("71", "72"): (False, "from today"),
        "corpora/demo": (False, "not selected"),
        "downloads/emodb": (False, "not selected"),
    }


def test_all_goes_but_what_must_be_named_or_is_in_a_run(cache: CacheMaker) -> None:
    new, stored = cache.fit(1), cache.fit(2)
    corpus = cache.file("corpora/demo/a.wav", days=99) and "corpora/demo"
    rules = Rules(older_than_s=None)
    assert {path for path, (goes, _) in fates(cache, rules, stored).items() if goes} == {new}
    even = Rules(older_than_s=None, even_used=True)
    assert {p for p, (goes, _) in fates(cache, even, stored).items() if goes} == {new, stored}
    named = Rules(("corpora",), older_than_s=None)
    assert {p for p, (goes, _) in fates(cache, named, stored).items() if goes} == {corpus}


def test_a_kind_restricts_and_keeps_the_age(cache: CacheMaker) -> None:
    old = cache.fit(1, days=40)
    features, recent = cache.features(1, days=40), cache.features(2, days=3)
    found = fates(cache, Rules(("features",)))
    assert found[old] == (False, "not selected")
    assert found[features] == (True, "unused for long")
    assert found[recent] == (False, "used recently")


def test_the_last_use_of_any_file_counts(cache: CacheMaker) -> None:
    path = cache.embeddings(1, days=90)
    assert fates(cache)[path] == (True, "unused for long")
    cache.age(cache.root / path / "complete.json", 90, read=5)
    assert fates(cache)[path] == (False, "used recently")


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", DAY_S / 2), ("30d", 30 * DAY_S), ("8w", 56 * DAY_S), ("0d", 0)]
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "3 months", "1e9d", "nand"])
def test_what_is_no_age_is_an_error(text: str) -> None:
    with pytest.raises(StoreError, match="is not an age; give hours, days or weeks"):
        parse_age(text)


def test_an_unknown_kind_is_an_error_that_lists_them(cache: CacheMaker) -> None:
    with pytest.raises(
        StoreError, match="the cache has no kind fit: choose among temporaries, fits"
    ):
        fates(cache, Rules(("fit",)))


def test_keys_of_runs_are_read_from_whole_and_damaged_records(tmp_path: Path) -> None:
    for number, place in enumerate(("a", "sweep/b", "a/canary/repeat-1")):
        fits = tmp_path / place / "fits"
        fits.mkdir(parents=True)
        record = f'{{\n  "fit": "akd/seed-0",\n  "key": "{number:064x}",\n'
        (fits / "fit.json").write_text(record)
    assert referenced_keys([tmp_path]) == {f"{number:064x}" for number in range(3)}
    assert referenced_keys([]) == frozenset()
