from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from tests_support.run_maker import LABELS, make_run

from serbench.api import SerbenchError
from serbench.checks.regress.gate import Timing, open_run
from serbench.checks.regress.golden import (
    Allowed,
    Golden,
    GoldenLatency,
    GoldenReference,
    read_golden,
)
from serbench.checks.regress.measure import Timed
from serbench.checks.regress.text import differences, golden_text, write_golden
from serbench.checks.regress.update import make_golden
from serbench.running.store.finished import StoredRun

HERE = GoldenReference(
    kind="built-in", sha256="a" * 64, cpu="AMD EPYC", packages={"onnxruntime": "1.32.0"}
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return open_run(make_run(tmp_path_factory.mktemp("golden") / "run", seeds=2))


def timing(*ratios: float, size: int = 4_000_000, method: str = "akd") -> Timing:
    entry = GoldenLatency(method=method, backend="onnxruntime")
    return Timing(HERE, (Timed(entry, ratios, size, None),))


def test_what_is_written_is_what_is_read(run: StoredRun, tmp_path: Path) -> None:
    made = make_golden(run, None, timing(0.9, 1.0, 1.1, 1.2, 1.3))
    path = tmp_path / "golden.toml"
    write_golden(made, path)
    assert read_golden(path) == made
    (entry,) = made.latency
    assert (entry.ratio, entry.ratio_range, entry.size_bytes) == (1.1, (0.9, 1.3), 4_000_000)
    assert list(made.methods) == ["akd", "vanilla-kd", "transformer", "teacher:whisper-base"]
    assert made.methods["akd"].seeds == [0, 1]
    assert made.methods["teacher:whisper-base"].seeds == [0]
    assert made.counts["08"] == [5, 5, 5, 5, 0]


def test_the_text_teaches_and_keeps_settings_apart(run: StoredRun) -> None:
    text = golden_text(make_golden(run, None, None), "my.toml")
    assert text.startswith(
        "# Results of the reference run. `serbench regress RUN --golden my.toml`"
    )
    content = tomllib.loads(text)
    assert content["settings"]["training.epochs"] == 60
    assert content["methods"]["akd"]["settings"] == {"loss": "akd"}
    assert max(map(len, text.splitlines())) <= 120


def test_an_update_keeps_what_was_set(run: StoredRun) -> None:
    first = make_golden(run, None, timing(*[1.0] * 5))
    allowed = Allowed(margin=0.03, limit=0.2, latency=1.0, size=0.5)
    methods = {
        **first.methods,
        "akd": first.methods["akd"].model_copy(update={"margin": 0.07, "limit": 0.3}),
    }
    (entry,) = first.latency
    entry = entry.model_copy(update={"allowed": 3.0, "allowed_size": 0.9})
    edited = first.model_copy(update={"allowed": allowed, "methods": methods, "latency": [entry]})
    found = Timed(entry, (2.0,) * 5, 5, None)
    again = make_golden(run, edited, Timing(HERE, (found,)))
    assert again.allowed == allowed
    assert (again.methods["akd"].margin, again.methods["akd"].limit) == (0.07, 0.3)
    assert again.latency[0].model_dump(include={"allowed", "allowed_size", "ratio"}) == {
        "allowed": 3.0, "allowed_size": 0.9, "ratio": 2.0,
    }  # fmt: skip
    assert make_golden(run, edited, None).latency == [entry]


def test_differences_are_what_has_changed(run: StoredRun) -> None:
    old = make_golden(run, None, timing(*[1.0] * 5))
    new = make_golden(run, old, timing(*[2.0] * 5))
    assert differences(old, old) == []
    assert differences(old, new) == [("akd onnxruntime 3 s, ratio", "1.000", "2.000")]
    assert ("akd seeds", "–", "0, 1") in differences(None, new)
    changed = new.model_copy(update={"settings": {**new.settings, "training.epochs": 5}})
    assert ("akd training.epochs", "60", "5") in differences(new, changed)


def test_what_could_not_be_measured_is_not_written(run: StoredRun) -> None:
    broken = replace(timing(), found=(replace(timing().found[0], failure="it crashed"),))
    with pytest.raises(SerbenchError, match=r"could not be measured: it crashed; nothing was"):
        make_golden(run, None, broken)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "schema_version = 1",
            "schema_version = 2",
            "schema_version is 2, but this serbench reads 1",
        ),
        ("margin = 0.01", "margin = -1", r":\d+: allowed.margin: Input should be greater"),
        ("margin = 0.01", "margins = 0.01", r":\d+: allowed.margins: Extra inputs"),
        ("margin = 0.01", "margin = ", r":\d+: not valid TOML"),
        ("ua = 0.", "ua = 0.9", "its hits give 0.*; do not edit scores"),
        ("08 = [5, 5, 5, 5, 0]", "08 = [5, 5, 5, 5]", "counts.08 has 4 numbers for 5 classes"),
        ("08 = [5, 5, 5, 5, 0]", "09 = [5, 5, 5, 5, 0]", "not valid TOML: Cannot overwrite"),
        ("08 = [5, 5, 5, 5, 0]", "07 = [5, 5, 5, 5, 0]", "have different speakers: .'07', '08'."),
        ("08 = [5, 5, 5, 5, 0]", "08 = [1, 5, 5, 5, 0]", "but there are .2, 10, 10, 10, 0."),
        ("[settings]", '[[latency]]\nmethod = "akd"\n[settings]', r"latency.0.backend: Field req"),
        (
            "[settings]",
            '[[latency]]\nmethod = "akd"\nbackend = "x"\nratio = 1.0\n[settings]',
            "has a ratio, but .reference. is missing",
        ),
        (
            "[settings]",
            '[[latency]]\nmethod = "a"\nbackend = "x"\n' * 2 + "[settings]",
            "have the same method, backend and audio_s",
        ),
    ],
)
def test_a_damaged_file_says_where(
    run: StoredRun, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "golden.toml"
    text = golden_text(make_golden(run, None, None), path.name)
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SerbenchError, match=message) as caught:
        read_golden(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SerbenchError, match=r"serbench regress RUN --update --golden .*none\.toml"):
        read_golden(tmp_path / "none.toml")


def test_labels_are_in_the_order_of_the_run(run: StoredRun) -> None:
    assert Golden.model_validate(make_golden(run, None, None).model_dump()).run.labels == [*LABELS]
