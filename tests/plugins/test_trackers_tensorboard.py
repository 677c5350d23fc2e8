from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests_support.told import tell

from serbench.api import EpochEvent, RunEvent
from serbench_trackers import packages
from serbench_trackers.tensorboard_files import OPEN_FILES, TensorBoard, TensorBoardParams

accumulators = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="tensorboard is not installed",
)
EPOCHS_AT = 3


def tracker(**params: Any) -> TensorBoard:
    return TensorBoard(TensorBoardParams(**params))


def read(folder: Path) -> Any:
    accumulator = accumulators.EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in read(folder).Scalars(tag)]


def sub_runs(folder: Path) -> list[str]:
    found = {path.parent.relative_to(folder).as_posix() for path in folder.rglob("*.serbench")}
    return sorted(found)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(tracker(), tmp_path_factory.mktemp("run")) / "tensorboard"


def test_each_fit_has_a_sub_run_with_its_curves(board: Path) -> None:
    assert curve(board / "plain/seed-1/outer-2", "loss/total") == [
        (1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3)),
    ]  # fmt: skip
    assert set(read(board / "plain/seed-0/outer-1").Tags()["scalars"]) == {"loss/ce", "loss/total"}
    inner = board / "plain/seed-0/outer-1/candidate-1/inner-1"
    assert curve(inner, "validation/ua") == [(1, 0.5), (2, 0.5)]
    assert curve(board / "plain/seed-0/pretraining", "loss/hint") == [(1, 2.0)]


def test_scores_of_folds_stand_by_their_number(board: Path) -> None:
    assert curve(board / "ablation-row/seed-1", "test/ua") == [(1, 0.25), (2, 0.5)]
    assert curve(board / "teacher-functionals/seed-0", "test/ua") == [(1, 0.25), (2, 0.5)]


def test_methods_have_hyper_parameters_and_pooled_scores(board: Path) -> None:
    found = read(board / "methods/plain")
    assert [point.value for point in found.Scalars("pooled/ua")] == [0.5]
    metadata = found.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert metadata.plugin_name == "hparams"
    content = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    start = content.parse_session_start_info_plugin_data(metadata.content)
    values = {name: value.WhichOneof("kind") for name, value in start.hparams.items()}
    assert values["settings.training.epochs"] == "number_value"
    assert values["loss_params.gated"] == "bool_value"
    assert start.hparams["student_params.stem"].string_value == "1, 2"
    assert "loss_params.limit" not in values
    assert start.group_name.endswith("/plain")
    assert not read(board / "methods/teacher-functionals").Tags()["tensors"]


def test_the_run_is_described_with_its_command_and_its_certificate(board: Path) -> None:
    before, after = (
        each.tensor_proto.string_val[0].decode() for each in read(board).Tensors("run")
    )
    assert (
        "| command | serbench run plain ablation:row --dataset probe \\| tee 'a file' |" in before
    )
    assert "certificate" not in before
    assert f"| certificate | {'1' * 64} |" in after
    assert "| plain | ua | 0.500 | 0.375 to 0.625 |" in after


def test_a_canary_has_no_part_in_the_curves(board: Path) -> None:
    assert 9.0 not in [value for _, value in curve(board / "plain/seed-0/outer-1", "loss/total")]


def test_a_run_that_goes_on_has_each_point_once(tmp_path: Path) -> None:
    tell(tracker(), tmp_path, until=EPOCHS_AT + 12)
    tell(tracker(), tmp_path, cached=True)
    board = tmp_path / "tensorboard"
    assert [step for step, _ in curve(board / "plain/seed-0/outer-1", "loss/total")] == [1, 2, 3]
    assert [step for step, _ in curve(board / "plain/seed-0", "test/ua")] == [1, 2]
    assert len(list((board / "plain/seed-0/outer-1").glob("*.serbench"))) == 1


def test_what_is_told_is_in_the_file_at_once(tmp_path: Path) -> None:
    told = tracker()
    told.run_started(RunEvent(tmp_path, "d", 1))
    told.fit_epoch(EpochEvent("m/seed-0/outer-1", 1, 2, {"total": 1.0}))
    assert curve(tmp_path / "tensorboard/m/seed-0/outer-1", "loss/total") == [(1, 1.0)]
    told.close()


def test_more_fits_than_open_files_lose_nothing(tmp_path: Path) -> None:
    told = tracker()
    told.run_started(RunEvent(tmp_path, "d", 1))
    for epoch in (1, 2):
        for fit in range(2 * OPEN_FILES):
            told.fit_epoch(EpochEvent(f"m/seed-0/outer-{fit}", epoch, 2, {"total": 1.0 * fit}))
    told.close()
    for fit in range(2 * OPEN_FILES):
        folder = tmp_path / f"tensorboard/m/seed-0/outer-{fit}"
        assert curve(folder, "loss/total") == [(1, fit), (2, fit)]


def test_names_that_are_the_same_once_safe_are_kept_apart(tmp_path: Path) -> None:
    told = tracker()
    told.run_started(RunEvent(tmp_path, "d", 1))
    for value, method in enumerate(("a:b", "a-b", "..")):
        told.fit_epoch(EpochEvent(f"{method}/seed-0/outer-1", 1, 1, {"total": value}))
    told.close()
    board = tmp_path / "tensorboard"
    found = {name: curve(board / name, "loss/total") for name in sub_runs(board) if name != "."}
    assert found == {
        "-/seed-0/outer-1": [(1, 2.0)],
        "a-b/seed-0/outer-1": [(1, 0.0)],
        "a-b/seed-0/outer-1-2": [(1, 1.0)],
    }


def test_a_folder_of_the_users_is_shared_by_runs(tmp_path: Path) -> None:
    shared = tmp_path / "boards"
    for name in ("one", "two"):
        tell(tracker(folder=str(shared)), tmp_path / name)
    assert {path.name for path in shared.iterdir()} == {"one", "two"}
    assert not (tmp_path / "one" / "tensorboard").exists()


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracker().unavailable() is None
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    expected = "tensorboard is not installed: pip install 'serbench[tensorboard]'"
    assert tracker().unavailable() == expected
