"""A clean run verifies; each thing that somebody might change by hand is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import soundfile
from tests_support.runs import LinearStudent, Watcher, candidate, method, resources, run_plan
from tests_support.tables import Noise, write_noise

from serbench.api import PluginError, StoreError
from serbench.checks.finding import Finding
from serbench.checks.verify.run import verify
from serbench.results.report.write import write_report
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench_backends.torch import TorchBackend
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_front_ends.log_mel import LogMel

INSTALLED: dict[str, Any] = {
    "noise": Noise, "linear": LinearStudent, "kd": Distillation, "torch": TorchBackend,
    "log-mel": LogMel,
}  # fmt: skip


class Installed:
    """Stands for the installed plugins."""

    def get(self, kind: str, name: str) -> Any:
        if name not in INSTALLED:
            raise PluginError(f"there is no {name} among {kind}")
        return INSTALLED[name]


def plan(folder: Path, **protocol: Any) -> Any:
    loss = Distillation(DistillationParams())
    rates = (0.05, 1e-9)
    taught = method(
        "taught",
        *(candidate({"training.learning_rate": r}, loss, learning_rate=r) for r in rates),
    )
    return run_plan(folder, taught, **protocol)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, and a run on it with an inner search, a teacher and a canary."""
    root = tmp_path_factory.mktemp("verify")
    write_noise(root / "noise", speakers=4, utterances=4)
    whole = plan(root / "noise", canary=5)
    loss = Distillation(DistillationParams())
    cheap = run_plan(root / "noise", method("taught", candidate(loss=loss)))
    folder = run(replace(whole, canary=cheap), resources(root, folder=root / "run"), Watcher())
    write_report([folder], folder)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    shutil.copytree(made / "noise", tmp_path / "noise")
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path


def findings(root: Path, **options: Any) -> dict[str, Finding]:
    found = verify(
        root / "run",
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=Observer(),
        **options,
    )
    return {finding.check: finding for finding in found.found}


def differing(root: Path) -> dict[str, str]:
    return {
        name: ", ".join(map(str, each.units)) or each.message
        for name, each in findings(root).items()
        if each.outcome == "failed"
    }


def change(path: Path, edit: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_clean_run_verifies_wherever_it_is(root: Path) -> None:
    found = findings(root)
    assert list(found) == [
        "digest", "corpus", "plan.json", "certificate", "predictions",
        "students", "tables",
    ]  # fmt: skip
    assert {each.outcome for each in found.values()} == {"passed"}
    assert found["students"].message.startswith("4 students predict the same")


def test_without_the_students_all_else_is_compared(root: Path) -> None:
    assert "students" not in findings(root, models=False)


def test_a_run_without_a_report_says_so(root: Path) -> None:
    shutil.rmtree(root / "run" / "tables")
    found = findings(root)
    assert found["tables"].outcome == "not run"
    assert "serbench report" in found["tables"].message


def test_a_changed_recording_is_named_whatever_its_time_and_size(root: Path) -> None:
    import os

    path = root / "noise" / "s1_low_0.wav"
    before = path.stat()
    x, rate = soundfile.read(path, dtype="int16")
    x[100] += 1
    soundfile.write(path, x, rate)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    told = differing(root)
    assert told["corpus"] == "s1_low_0 (audio differs)"
    assert told["plan.json"] == "corpus_digest (not the digest of this corpus)"


def test_a_removed_and_an_added_file_are_named(root: Path) -> None:
    (root / "noise" / "s1_low_0.wav").rename(root / "noise" / "s1_low_9.wav")
    assert differing(root)["corpus"] == "s1_low_0 (missing now), s1_low_9 (new)"


def test_a_relabelled_utterance_is_named(root: Path) -> None:
    text = (root / "run" / "utterances.csv").read_text()
    (root / "run" / "utterances.csv").write_text(text.replace("s0,,high", "s0,,low", 1))
    assert differing(root)["corpus"] == "s0_high_0 (label differs)"


def test_an_utterance_moved_to_another_fold_by_hand_is_named(root: Path) -> None:
    path = root / "run" / "utterances.csv"
    path.write_text(path.read_text().replace("s1_low_0,outer-2", "s1_low_0,outer-1"))
    assert differing(root) == {"corpus": "s1_low_0 (fold differs)"}


def test_a_hand_edited_fold_is_named(root: Path) -> None:
    def swap(certificate: Any) -> None:
        test = certificate["folds"][0]["test"]
        test["units"] = ["s1"]

    change(root / "run" / "certificate.json", swap)
    told = differing(root)
    assert "changed after its digest" in told["digest"]
    assert told["certificate"] == "folds (differ: outer-1)"


def test_a_certificate_with_a_digest_to_match_is_still_told(root: Path) -> None:
    from serbench.protocol.guard.certificate import Certificate

    def forge(content: Any) -> None:
        content["checks"][9]["outcome"] = "not run: nobody asked"
        content["digest"] = Certificate.model_validate(
            {key: value for key, value in content.items() if key != "digest"}
        ).digest

    change(root / "run" / "certificate.json", forge)
    told = differing(root)
    assert "digest" not in told
    assert told["certificate"] == "checks (differ: L10)"
    assert "tables" in told


@pytest.mark.parametrize(
    ("key", "value"), [("inner", 2), ("seeds", 3), ("name", "leaky-random"), ("folds", "kfold")]
)
def test_a_changed_plan_is_told(root: Path, key: str, value: object) -> None:
    change(root / "run" / "plan.json", lambda content: content["protocol"].update({key: value}))
    assert "plan.json" in differing(root)


def test_a_changed_setting_of_a_method_is_told(root: Path) -> None:
    def edit(content: Any) -> None:
        content["methods"][0]["settings"]["training"]["epochs"] = 99

    change(root / "run" / "plan.json", edit)
    assert "a setting was changed" in differing(root)["plan.json"]


def edited_predictions(root: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = root / "run" / "predictions.parquet"
    edit(pd.read_parquet(path)).to_parquet(path, index=False)


def test_swapped_predictions_are_told(root: Path) -> None:
    def swap(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(p_high=rows["p_low"], p_low=rows["p_high"])

    edited_predictions(root, swap)
    told = differing(root)
    assert "wrong predicted of" in told["predictions"]
    assert "not the predictions that the labels were read for" in told["predictions"]
    assert "students" in told
    assert "predictions.csv" in told["tables"]


def test_improved_predictions_are_told(root: Path) -> None:
    def improve(rows: pd.DataFrame) -> pd.DataFrame:
        right = rows["label"] == "high"
        return rows.assign(
            predicted=rows["label"], p_high=np.where(right, 0.9, 0.1).astype(np.float32),
            p_low=np.where(right, 0.1, 0.9).astype(np.float32),
        )  # fmt: skip

    edited_predictions(root, improve)
    told = differing(root)
    assert "taught, outer fold 1, seed 0 (not the predictions" in told["predictions"]
    assert "taught/seed-0/outer-1 (posteriors differ by up to" in told["students"]


def test_a_wrong_label_in_the_predictions_is_told(root: Path) -> None:
    def relabel(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(label=rows["predicted"].where(rows.index != 0, "low"))

    edited_predictions(root, relabel)
    assert "wrong label of s0_high_0" in differing(root)["predictions"]


def test_missing_rows_are_told(root: Path) -> None:
    edited_predictions(root, lambda rows: rows.iloc[1:])
    told = differing(root)
    assert "not the utterances that the fold tests" in told["predictions"]


def test_another_student_is_told(root: Path) -> None:
    path = root / "run" / "models" / "taught" / "outer-2-seed-0.safetensors"
    state = safetensors.torch.load(path.read_bytes())
    state["classify.weight"] = -state["classify.weight"]
    path.write_bytes(safetensors.torch.save(state))
    assert "taught/seed-0/outer-2" in differing(root)["students"]


def test_a_removed_ledger_entry_is_told(root: Path) -> None:
    entry = next((root / "run" / "seal").glob("taught*.json"))
    entry.unlink()
    assert "readings (differ: taught" in differing(root)["certificate"]


def test_an_edited_table_is_told(root: Path) -> None:
    path = root / "run" / "tables" / "comparison.csv"
    path.write_text(path.read_text().replace("1.0", "0.9"))
    assert differing(root) == {"tables": "tables/comparison.csv (differs)"}


def of_another_version(root: Path) -> Path:
    """As if other code had worded the tables."""
    tables = root / "run" / "tables"
    change(tables / "comparison.json", lambda held: held.update(code="0" * 64))
    (tables / "comparison.md").write_text("worded in another way")
    (tables / "comparison.tex").unlink()
    path = tables / "comparison.csv"
    path.write_text("\n".join(f"{line},more" for line in path.read_text().splitlines()))
    return path


def test_tables_of_another_version_are_compared_by_their_numbers(root: Path) -> None:
    path = of_another_version(root)
    found = findings(root)["tables"]
    assert found.outcome == "passed"
    assert "another version of serbench wrote them" in found.message
    path.write_text(path.read_text().replace("1.0", "0.9"))
    assert differing(root) == {"tables": "tables/comparison.csv (differs)"}


def test_a_table_of_this_version_is_compared_word_by_word(root: Path) -> None:
    path = root / "run" / "tables" / "comparison.md"
    path.write_text(path.read_text().replace("Method", "Procedure"))
    assert differing(root) == {"tables": "tables/comparison.md (differs)"}


def test_what_is_no_run_of_ours_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        findings(tmp_path / "absent")
    change(root / "run" / "plan.json", lambda content: content.pop("code"))
    with pytest.raises(StoreError, match="lacks parts that are needed"):
        findings(root)


def test_a_plugin_that_is_gone_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(INSTALLED, "linear")
    with pytest.raises(PluginError, match="linear"):
        findings(root)


def test_a_leaky_run_verifies_as_leaky(tmp_path: Path) -> None:
    write_noise(tmp_path / "noise", speakers=4, utterances=2)
    leaky = plan(tmp_path / "noise", name="leaky-early-stopping")
    run(leaky, resources(tmp_path, folder=tmp_path / "run"), Watcher())
    assert differing(tmp_path) == {}


def test_folds_of_a_file_are_kept_with_the_run(tmp_path: Path) -> None:
    write_noise(tmp_path / "noise", speakers=4, utterances=2)
    rows = [f"{f.stem},{f.stem[:2]}" for f in sorted((tmp_path / "noise").glob("*.wav"))]
    file = tmp_path / "mine.csv"
    file.write_text("utterance,fold\n" + "\n".join(rows) + "\n")
    run(replace(plan(tmp_path / "noise"), folds=str(file)),
        resources(tmp_path, folder=tmp_path / "run"), Watcher())  # fmt: skip
    file.unlink()
    assert differing(tmp_path) == {}
