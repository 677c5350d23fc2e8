from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests_support.run_maker import SKILL, make_run

from serbench.api import StoreError
from serbench.checks.regress.gate import Timing, check_reference, judge, open_run
from serbench.checks.regress.golden import Golden, GoldenLatency, GoldenReference
from serbench.checks.regress.measure import Timed
from serbench.checks.regress.reference import Reference
from serbench.checks.regress.update import make_golden, wanted_entries
from serbench.running.store.finished import StoredRun

PATH = Path("golden.toml")
HERE = GoldenReference(
    kind="built-in", sha256="a" * 64, cpu="AMD EPYC", packages={"onnxruntime": "1.32.0"}
)
ENTRY = GoldenLatency(
    method="akd", backend="onnxruntime", ratio=1.0, ratio_range=(0.9, 1.1), size_bytes=1000
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return open_run(make_run(tmp_path_factory.mktemp("gate") / "run"))


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """AKD's skill has gone; the others are as they were."""
    skill = {**SKILL, "akd": 0.3}
    return open_run(make_run(tmp_path_factory.mktemp("worse") / "run", skill))


@pytest.fixture(scope="module")
def golden(run: StoredRun) -> Golden:
    made = make_golden(run, None, None)
    return made.model_copy(update={"latency": [ENTRY], "reference": HERE})


Edit = Callable[[dict[str, Any]], object]


def edited(run: StoredRun, change: Edit) -> StoredRun:
    plan = {**run.plan, "dataset": {**run.plan["dataset"]}}
    plan["methods"] = [{**method} for method in plan["methods"]]
    change(plan)
    return replace(run, plan=plan)


def test_a_run_passes_against_itself(run: StoredRun, golden: Golden) -> None:
    verdict = judge(run, golden, PATH)
    assert verdict.passed
    assert verdict.checks("passed")[:2] == ("akd UA", "akd WA")
    assert len(verdict.of("passed")) == 2 * len(SKILL)
    assert {check.numbers["difference"] for check in verdict.of("passed")} == {0.0}
    assert verdict.verdict == (
        "passed: no worse than the golden file allows (8 checks); "
        "not run: latency and size (not measured: --no-latency)"
    )


def test_a_planted_regression_is_found_in_the_method_that_has_it(
    worse: StoredRun, golden: Golden
) -> None:
    verdict = judge(worse, golden, PATH)
    assert not verdict.passed
    assert [check.check for check in verdict.of("failed")] == ["akd UA", "akd WA"]
    message = verdict.of("failed")[0].message
    assert re.match(r"UA fell [\d.]+ points below the reference: ", message)
    assert message.endswith("; allowed: 1.0)")
    assert all(each.seconds > 0 for each in verdict.found if each.outcome != "not run")


def test_better_is_no_failure(run: StoredRun, worse: StoredRun) -> None:
    verdict = judge(run, make_golden(worse, None, None), PATH)
    assert verdict.passed
    (better,) = [each for each in verdict.found if each.check == "akd UA"]
    assert better.outcome == "note"
    assert better.message.startswith("UA rose ")
    assert "--update" in better.remedy


def test_a_method_may_have_a_margin_of_its_own(worse: StoredRun, golden: Golden) -> None:
    lenient = golden.methods["akd"].model_copy(update={"margin": 0.9, "limit": 0.9})
    loose = golden.model_copy(update={"methods": {**golden.methods, "akd": lenient}})
    assert judge(worse, loose, PATH).passed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["dataset"].update(corpus_digest="9" * 64), "corpus digest .c{12} in the"),
        (
            lambda p: p.update(folds_digest="9" * 64),
            "folds digest .b{12} in the .*, 9{12} in",
        ),
        (lambda p: p["dataset"].update(labels=p["dataset"]["labels"][::-1]), "labels .anger, bor"),
    ],
)
def test_another_corpus_is_no_gate(
    run: StoredRun, golden: Golden, change: Edit, message: str
) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        judge(edited(run, change), golden, PATH)
    assert "serbench run akd vanilla-kd transformer --dataset emodb" in str(caught.value)


def test_other_seeds_and_a_missing_method_are_all_told(golden: Golden, tmp_path: Path) -> None:
    other = open_run(make_run(tmp_path / "run", {"akd": 0.7, "hybrid": 0.7}, seeds=2))
    with pytest.raises(StoreError) as caught:
        judge(other, golden, PATH)
    for part in (
        "seeds of akd (0 in the golden file, 0, 1 in the run)",
        "method vanilla-kd (the run has akd, hybrid)",
        "method teacher:whisper-base",
        "--update",
    ):
        assert part in str(caught.value)


def test_edited_counts_are_found(run: StoredRun, golden: Golden) -> None:
    counts = {**golden.counts, "03": [each + 1 for each in golden.counts["03"]]}
    wrong = golden.model_copy(update={"counts": counts})  # its scores are changed to fit, too
    with pytest.raises(StoreError, match="test utterances of akd by speaker and class"):
        judge(run, wrong, PATH)


def test_a_leaky_run_judges_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", protocol="leaky-random")
    with pytest.raises(StoreError, match="leaky-random, which is broken on purpose"):
        open_run(folder)


def test_settings_that_differ_are_told_and_not_judged(run: StoredRun, golden: Golden) -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["profile"] = "quick"
        plan["serbench_version"] = "0.2.0"
        training = {"epochs": 6, "learning_rate": 0.001}
        plan["methods"][0]["settings"] = {"training": training, "head": {"strengths": [1.0]}}

    verdict = judge(edited(run, change), golden, PATH)
    assert verdict.passed
    assert set(verdict.remarks) >= {
        'A setting differs: profile: "standard" → "quick"',
        "A setting differs: training.epochs: 60 → 6 (akd)",
        "A setting differs: head.strengths: [0.001, 0.01] → [1.0] (akd)",
        "The reference run was made with serbench 0.1.0, this run with 0.2.0.",
    }


def test_settings_that_a_plan_lacks_differ(run: StoredRun, golden: Golden) -> None:
    verdict = judge(edited(run, lambda plan: plan["methods"][0].pop("settings")), golden, PATH)
    assert verdict.passed
    assert 'A setting differs: training.epochs: 60 → "none" (akd)' in verdict.remarks


def test_a_method_that_the_golden_file_does_not_know_is_told(
    run: StoredRun, golden: Golden
) -> None:
    known = {name: m for name, m in golden.methods.items() if name != "transformer"}
    verdict = judge(run, golden.model_copy(update={"methods": known}), PATH)
    assert "transformer (not in the golden file)" in verdict.verdict


def timing(ratio: float, size: int | None = 1000, failure: str | None = None) -> Timing:
    ratios = () if failure else (ratio,) * 8
    return Timing(HERE, (Timed(ENTRY, ratios, size, failure),))


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        (timing(1.2), []),
        (timing(1.3), ["akd onnxruntime 3 s latency"]),
        (timing(1.0, size=1030), ["akd onnxruntime size"]),
        (timing(0.0, failure="conversion: crashed"), ["akd onnxruntime 3 s latency"]),
        (timing(0.0, None, "conversion: crashed"), ["akd onnxruntime 3 s latency"]),
    ],
)
def test_latency_and_size(run: StoredRun, golden: Golden, found: Timing, failed: list[str]) -> None:
    verdict = judge(run, golden, PATH, found)
    assert [check.check for check in verdict.of("failed")] == failed
    if found.found[0].failure:
        assert "runs here, but not with this model: conversion: crashed" in (
            verdict.of("failed")[0].message
        )


def test_a_size_is_checked_once_though_two_lengths_are_timed(
    run: StoredRun, golden: Golden
) -> None:
    longer = ENTRY.model_copy(update={"audio_s": 10.0})
    two = golden.model_copy(update={"latency": [ENTRY, longer]})
    found = Timing(HERE, tuple(Timed(each, (1.0,) * 8, 1000, None) for each in (ENTRY, longer)))
    whats = judge(run, two, PATH, found).checks("passed", "not run")[2 * len(SKILL) :]
    assert whats == (
        "akd onnxruntime 3 s latency", "akd onnxruntime size", "akd onnxruntime 10 s latency"
    )  # fmt: skip


def test_tolerances_of_an_entry_go_over_the_common_ones(run: StoredRun, golden: Golden) -> None:
    entry = ENTRY.model_copy(update={"allowed": 1.0, "allowed_size": 0.5})
    loose = golden.model_copy(update={"latency": [entry]})
    found = Timing(HERE, (Timed(entry, (1.9,) * 8, 1400, None),))
    assert judge(run, loose, PATH, found).passed


def test_another_processor_and_another_runtime_are_told(run: StoredRun, golden: Golden) -> None:
    there = HERE.model_copy(update={"cpu": "Xeon", "packages": {"onnxruntime": "2.0"}})
    notes = judge(run, golden, PATH, replace(timing(1.0), reference=there)).remarks
    assert any("another processor (AMD EPYC; here Xeon)" in note for note in notes)
    assert "Runtimes differ: onnxruntime 1.32.0 → 2.0." in notes


@pytest.mark.parametrize(
    ("kind", "advice"),
    [("file", "--reference MODEL.onnx"), ("built-in", "without --reference")],
)
def test_ratios_to_another_reference_are_refused(golden: Golden, kind: str, advice: str) -> None:
    held = golden.model_copy(update={"reference": HERE.model_copy(update={"kind": kind})})
    here = Reference("built-in", Path("reference.onnx"), "b" * 64)
    with pytest.raises(StoreError, match=advice):
        check_reference(held, here, PATH)
    check_reference(held, replace(here, sha256="a" * 64), PATH)


def test_entries_of_an_update(run: StoredRun, golden: Golden) -> None:
    (first,) = wanted_entries(run, None, (), PATH)
    assert (first.method, first.backend, first.audio_s) == ("akd", "onnxruntime", 3.0)
    assert wanted_entries(run, golden, (), PATH) == (ENTRY,)
    two = wanted_entries(run, golden, ("onnxruntime, torch", "torch"), PATH)
    assert [each.backend for each in two] == ["onnxruntime", "torch"]
    lost = golden.model_copy(update={"latency": [ENTRY.model_copy(update={"method": "gone"})]})
    with pytest.raises(StoreError, match=r"gone onnxruntime 3 s; remove them"):
        wanted_entries(run, lost, (), PATH)


def test_an_unfinished_run_is_told(run: StoredRun, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "predictions.parquet").unlink()
    with pytest.raises(StoreError, match="has not finished"):
        open_run(tmp_path / "run")
