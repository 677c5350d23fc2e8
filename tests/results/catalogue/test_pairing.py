from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.run_maker import LABELS, make_run

from serbench.api import StoreError
from serbench.results.catalogue.pairing import NOT_SET, Change, Pairing, flat, pair_runs
from serbench.results.compare.methods import comparison
from serbench.running.store.run import RunStore


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    make_run(root / "first", {"akd": 0.85, "mha": 0.5, "teacher:whisper-base": 0.9})
    make_run(root / "second", {"akd": 0.35, "hybrid": 0.5, "teacher:whisper-base": 0.9}, seeds=2)
    make_run(root / "leaky", {"akd": 0.9}, protocol="leaky-normaliser")
    return root


@pytest.fixture(scope="module")
def pairing(root: Path) -> Pairing:
    return pair_runs(root / "first", root / "second")


def change(folder: Path, name: str, **entries: Any) -> None:
    store = RunStore(folder)
    store.write_json(name, store.read_json(name) | entries)


def copy(root: Path, place: Path) -> Path:
    return Path(shutil.copytree(root / "first", place / "other"))


def test_a_method_of_both_runs_is_compared_in_pairs(root: Path, pairing: Pairing) -> None:
    akd = pairing.methods[0]
    assert (akd.method, akd.verdict) == ("akd", "significantly worse")
    assert akd.here is not None
    assert akd.there is not None
    assert akd.difference is not None
    assert akd.difference.value == pytest.approx(akd.there.value - akd.here.value)
    assert akd.difference.low < akd.difference.value < akd.difference.high < 0
    for folder, shown in ((root / "first", akd.here), (root / "second", akd.there)):
        alone = comparison(RunStore(folder).predictions(), LABELS, ["akd"])
        assert shown == alone.methods[0].pooled["ua"]


def test_methods_of_one_run_stand_alone(pairing: Pairing) -> None:
    others = {pair.method: pair for pair in pairing.methods[1:]}
    assert list(others) == ["mha", "hybrid", "teacher:whisper-base"]
    assert others["mha"].verdict == "only in the first"
    assert others["hybrid"].verdict == "only in the second"
    assert others["mha"].there is others["hybrid"].here is None
    assert others["mha"].difference is None


def test_a_run_like_another_predicts_the_same(root: Path, tmp_path: Path) -> None:
    found = pair_runs(root / "first", copy(root, tmp_path))
    assert {pair.verdict for pair in found.methods} == {"same predictions"}
    assert [pair.method for pair in found.methods] == ["akd", "mha", "teacher:whisper-base"]
    assert (found.data, found.settings, found.code, found.unknown) == ((), (), (), ())


def test_p_is_corrected_for_the_methods_that_differ(root: Path, tmp_path: Path) -> None:
    other = copy(root, tmp_path)
    store = RunStore(other)
    table = store.predictions()
    flipped = table["method"].isin(["akd", "mha"]) & (np.arange(len(table)) % 3 == 0)
    store.write_predictions(table.assign(predicted=table["predicted"].mask(flipped, "anger")))
    found = {pair.method: pair for pair in pair_runs(root / "first", other).methods}
    tests = [found[name].difference.significance for name in ("akd", "mha")]  # pyright: ignore[reportOptionalMemberAccess]
    raw = sorted(test.p for test in tests if test)
    assert sorted(test.p_holm for test in tests if test) == pytest.approx(
        [min(2 * raw[0], 1), max(raw[1], min(2 * raw[0], 1))]
    )
    assert found["teacher:whisper-base"].verdict == "same predictions"


def test_settings_that_differ_are_listed_and_no_others(root: Path, tmp_path: Path) -> None:
    other = copy(root, tmp_path)
    plan = RunStore(other).plan()
    plan["methods"][0]["settings"]["training"]["epochs"] = 5
    plan["methods"][1]["settings"]["training"]["epochs"] = 5
    plan["methods"][1]["loss"] = "ce"
    plan["protocol"]["canary"] = 5
    RunStore(other).write_json("plan", plan | {"backend": {"name": "bf16", "params": {}}})
    assert pair_runs(root / "first", other).settings == (
        Change("protocol.canary", "0", "5"),
        Change("backend.name", NOT_SET, "bf16"),
        Change("backend.params", NOT_SET, "{}"),
        Change("all methods: training.epochs", "60", "5"),
        Change("mha: loss", "kd", "ce"),
    )


def test_code_packages_and_machine_that_differ_are_listed(root: Path, tmp_path: Path) -> None:
    other = copy(root, tmp_path)
    change(other, "plan", serbench_version="9.9", code={"fit": "0" * 64})
    packages = RunStore(other).read_json("environment")["packages"] | {"numpy": "0.1"}
    plugin = {"entry_point": "mine", "distribution": "mine", "version": "3"}
    change(other, "environment", packages=packages, plugins=[plugin], cpu="abacus")
    found = {each.what: (each.here, each.there) for each in pair_runs(root / "first", other).code}
    assert found.pop("serbench_version") == ("0.1.0", "9.9")
    assert found.pop("code.fit") == ("f" * 12, "0" * 12)
    assert found.pop("packages.numpy") == (np.__version__, "0.1")
    assert found.pop("plugins.mine:mine") == (NOT_SET, "3")
    assert found.pop("cpu")[1] == "abacus"
    assert found == {}


@pytest.mark.parametrize(
    ("entries", "what", "reason"),
    [
        ({"folds_digest": "0" * 64}, "folds_digest", "their folds digest differs"),
        ({"folds": "loso"}, "folds", ""),
    ],
)
def test_other_folds_are_said_and_not_compared(
    root: Path, tmp_path: Path, entries: dict[str, object], what: str, reason: str
) -> None:
    other = copy(root, tmp_path)
    change(other, "plan", **entries)
    found = pair_runs(root / "first", other)
    assert [each.what for each in found.data] == [what]
    assert reason in found.refused
    assert bool(found.methods) == (not reason)


def test_what_cannot_be_compared_is_still_told_apart(root: Path, tmp_path: Path) -> None:
    found = pair_runs(root / "first", root / "leaky")
    assert "leaky runs cannot be combined" in found.refused
    assert Change("protocol.name", "speaker-independent", "leaky-normaliser") in found.settings
    begun = copy(root, tmp_path)
    for name in ("predictions.parquet", "environment.json"):
        (begun / name).unlink()
    found = pair_runs(root / "first", begun)
    assert "has not finished" in found.refused
    assert found.unknown == ("Packages and machine are not recorded yet for other.",)


def test_a_run_against_itself_or_a_damaged_plan_is_an_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="are the same run"):
        pair_runs(root / "first", root / "leaky" / ".." / "first")
    other = copy(root, tmp_path)
    (other / "plan.json").write_text("{")
    with pytest.raises(StoreError, match="is damaged"):
        pair_runs(root / "first", other)
    (other / "plan.json").write_text("{}")
    with pytest.raises(StoreError, match="is damaged"):
        pair_runs(root / "first", other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text("xyz", min_size=1, max_size=2), JSON, max_size=4))
def test_flattening_keeps_every_leaf(content: dict[str, Any]) -> None:
    def leaves(value: Any) -> int:
        return sum(map(leaves, value.values())) if isinstance(value, dict) and value else 1

    found = flat(content)
    assert len(found) == sum(map(leaves, content.values()))
    for path, text in found.items():
        value: Any = content
        for part in path.split("."):
            value = value[part]
        assert text == (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
