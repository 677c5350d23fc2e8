from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests_support.told import tell

from serbench.api import EpochEvent, RunEvent
from serbench_trackers import mlflow_store, packages
from serbench_trackers.mlflow_runs import LEDGER, MLflow, MLflowParams
from serbench_trackers.mlflow_store import (
    BATCH_METRICS,
    PARAM_LENGTH,
    MLflowRun,
    reason_of,
    safe_key,
    without_password,
)

EPOCHS_AT = 3
NEEDS = ("mlflow", "sqlalchemy", "alembic")
needs_mlflow = pytest.mark.skipif(
    packages.missing("mlflow", NEEDS) is not None, reason=str(packages.missing("mlflow", NEEDS))
)


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, which takes a second to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)  # MLflow makes a folder for artefacts here
        assert MLflow(MLflowParams(tracking_uri=f"sqlite:///{path}")).unavailable() is None
    return path


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of the test's own; artefacts go where it works."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def tracker(uri: str, **params: Any) -> MLflow:
    return MLflow(MLflowParams(tracking_uri=uri, **params))


class Stored:
    """What a store holds."""

    def __init__(self, uri: str, experiment: str = "serbench") -> None:
        mlflow = pytest.importorskip("mlflow")
        self.client = mlflow.MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(experiment)
        runs = self.client.search_runs([found.experiment_id]) if found else []
        self.parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
        self.methods = {r.info.run_name: r for r in runs if r not in self.parents}

    def curve(self, method: str, key: str) -> list[tuple[int, float]]:
        points = self.client.get_metric_history(self.methods[method].info.run_id, key)
        return [(point.step, point.value) for point in points]


@needs_mlflow
def test_a_run_has_a_nested_run_for_each_method(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "probe"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "comparison.csv").write_text("a,b\n")
    (folder / "report.md").write_text("# Report\n")
    tell(tracker(uri), folder)
    stored = Stored(uri)
    (parent,) = stored.parents
    assert parent.info.run_name == "probe"
    assert parent.info.status == "FINISHED"
    assert parent.data.params["methods"] == "plain, ablation:row"
    assert parent.data.tags["serbench.certificate"] == "1" * 64
    assert "--dataset probe" in parent.data.tags["serbench.command"]
    assert parent.data.metrics["plain/ua"] == 0.5
    kept = {item.path for item in stored.client.list_artifacts(parent.info.run_id)}
    assert kept == {"report.md", "tables"}
    assert set(stored.methods) == {"plain", "ablation:row", "teacher:functionals"}
    plain = stored.methods["plain"]
    assert plain.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert plain.info.status == "FINISHED"
    assert plain.data.params["settings.training.epochs"] == "3"
    assert plain.data.metrics["ua_low"] == 0.375
    assert stored.curve("plain", "seed-0/outer-1/loss/total") == [
        (1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3)),
    ]  # fmt: skip
    inner = "seed-1/outer-2/candidate-1/inner-1/validation/ua"
    assert stored.curve("plain", inner) == [(1, 0.5), (2, 0.5)]
    assert stored.curve("teacher:functionals", "seed-0/test/ua") == [(1, 0.25), (2, 0.5)]


@needs_mlflow
def test_a_run_that_goes_on_has_each_point_once(uri: str, tmp_path: Path) -> None:
    folder = tell(tracker(uri), tmp_path / "probe", until=EPOCHS_AT + 12)
    (stopped,) = Stored(uri).parents
    assert stopped.info.status == "KILLED"
    for cached in (True, False, True):
        tell(tracker(uri), folder, cached=cached)
    stored = Stored(uri)
    (parent,) = stored.parents
    assert parent.info.run_id == stopped.info.run_id
    assert parent.info.status == "FINISHED"
    assert len(stored.methods) == 3
    assert [s for s, _ in stored.curve("plain", "seed-0/outer-1/loss/total")] == [1, 2, 3]
    assert [s for s, _ in stored.curve("plain", "seed-0/test/ua")] == [1, 2]


@needs_mlflow
@pytest.mark.parametrize("damage", ["deleted", "elsewhere", "ledger"])
def test_a_run_that_is_not_found_again_is_made_anew(uri: str, tmp_path: Path, damage: str) -> None:
    folder = tell(tracker(uri), tmp_path / "probe")
    (first,) = Stored(uri).parents
    if damage == "deleted":
        Stored(uri).client.delete_run(first.info.run_id)
    elif damage == "elsewhere":
        (folder / LEDGER).write_text(json.dumps({"run_id": "f" * 32}))
    else:
        (folder / LEDGER).write_text("{")
    tell(tracker(uri), folder)
    ids = {run.info.run_id for run in Stored(uri).parents}
    assert len(ids - {first.info.run_id}) == 1
    assert json.loads((folder / LEDGER).read_text())["run_id"] in ids - {first.info.run_id}


@needs_mlflow
def test_the_environment_names_store_and_experiment(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MLflow(MLflowParams()).tracking_uri == f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    tell(MLflow(MLflowParams()), tmp_path / "probe")
    assert len(Stored(uri, "mine").parents) == 1
    tell(MLflow(MLflowParams(experiment="theirs")), tmp_path / "other")
    assert len(Stored(uri, "theirs").parents) == 1


@needs_mlflow
@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("./mlruns", ("MLflow store ./mlruns cannot be used", "sqlite:///mlflow.db")),
        ("bogus://x", ("unsupported URI 'bogus://x'",)),
        ("sqlite:///FILE/mlflow.db", ("FILE/mlflow.db cannot be used",)),
    ],
)
def test_a_store_that_cannot_be_used_is_told_of_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    reason = tracker(address.replace("FILE", str(tmp_path / "file"))).unavailable()
    assert reason is not None
    assert "\n" not in reason
    for part in parts:
        assert part.replace("FILE", str(tmp_path / "file")) in reason


@needs_mlflow
def test_a_server_that_is_not_there_is_told_of_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    reason = tracker("http://ann:secret@localhost:9").unavailable()
    assert reason is not None
    assert "http://…@localhost:9 cannot be used" in reason
    assert "secret" not in reason


@needs_mlflow
def test_a_deleted_experiment_is_told_of(uri: str) -> None:
    assert tracker(uri).unavailable() is None
    client = Stored(uri).client
    client.delete_experiment(client.get_experiment_by_name("serbench").experiment_id)
    reason = tracker(uri).unavailable()
    assert reason is not None
    assert "its experiment 'serbench' is deleted; restore it" in reason


@pytest.mark.parametrize("absent", NEEDS)
def test_a_missing_package_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    def find(name: str) -> object | None:
        return None if name == absent else object()

    monkeypatch.setattr(packages.importlib.util, "find_spec", find)
    expected = f"{absent} is not installed: pip install 'serbench[mlflow]'"
    assert tracker("sqlite:///mlflow.db").unavailable() == expected


class Counted:
    """A client that counts what it is sent, and breaks when it is told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False

    def log_batch(self, run_id: str, metrics: list[object]) -> None:
        if self.broken:
            raise ConnectionError("gone")
        self.batches.append(len(metrics))

    def set_terminated(self, run_id: str, status: str) -> None:
        self.status = status


@pytest.fixture
def entities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics without MLflow."""
    fake = SimpleNamespace(Metric=lambda *content: content)
    monkeypatch.setattr(mlflow_store, "import_module", lambda name: fake)


@pytest.mark.usefixtures("entities")
def test_points_are_sent_in_batches_and_at_the_end() -> None:
    client = Counted()
    run = MLflowRun(client, "id", "m", found=False)
    for step in range(BATCH_METRICS + 10):
        run.log({"a": 1.0}, step)
    assert client.batches == [BATCH_METRICS]
    run.end("FINISHED")
    assert client.batches == [BATCH_METRICS, 10]
    assert client.status == "FINISHED"


@pytest.mark.usefixtures("entities")
def test_what_a_broken_server_did_not_take_is_not_sent_again() -> None:
    client = Counted()
    run = MLflowRun(client, "id", "m", found=False)
    run.log({"a": 1.0}, 1)
    client.broken = True
    with pytest.raises(ConnectionError):
        run.flush()
    run.end("KILLED")
    assert client.batches == []


def test_names_and_values_are_such_as_every_server_takes() -> None:
    assert safe_key("teacher:x/ua") == "teacher-x/ua"
    assert safe_key("β weight") == "β weight"
    assert len(safe_key("x" * 400)) == 250
    assert without_password("postgresql://ann:pw@host/db") == "postgresql://…@host/db"
    assert without_password("sqlite:////a@b/c.db") == "sqlite:////a@b/c.db"
    assert reason_of(ValueError("one thing.  Another thing.")) == "one thing"
    assert reason_of(ValueError()) == "ValueError"


@needs_mlflow
def test_long_values_of_parameters_are_cut(uri: str, tmp_path: Path) -> None:
    told = tracker(uri)
    told.run_started(RunEvent(tmp_path, "d", 1, {"folds": "x" * 2000, "methods": [{"name": "m"}]}))
    told.fit_epoch(EpochEvent("m/seed-0/outer-1", 1, 1, {"total": 1.0}))
    told.close()
    (parent,) = Stored(uri).parents
    assert len(parent.data.params["folds"]) == PARAM_LENGTH
