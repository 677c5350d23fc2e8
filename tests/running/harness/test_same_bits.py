"""A run's digest determines its bytes: wherever, however and on how many workers it is computed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from serbench_corpora.demo import Demo

SETS = (
    "corpus.speakers=6", "corpus.takes=1", "protocol.folds=kfold", "protocol.kfold=3",
    "protocol.search=halving:own", "training.epochs=2", "training.batch_size=16",
    "training.early_stopping=true", "student.dim=16", "student.layers=1", "student.heads=2",
)  # fmt: skip
OWN = """\
[methods.own]
summary = "own"
student = "transformer"
loss = "akd"
grids.own = { "loss.temperature" = [1.0, 4.0], "training.learning_rate" = [0.001, 0.01] }
"""
LEFT_OUT = {"environment.json", "timing.json", "events.jsonl"}
"""Files that say where and how long a run was computed."""

WHERE_AND_WHEN = {"command", "opened_at", "seconds", "step_seconds", "made_from"}
"""The same in other files."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bits") / "demo"
    folder.mkdir()
    Demo(Demo.Params(speakers=6, takes=1)).build(folder, lambda *_: None)  # pyright: ignore[reportCallIssue]
    return folder


class Place:
    """A working folder with its own cache, where a run is computed in a process of its own."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder = folder
        self.corpus = corpus
        folder.mkdir(parents=True)
        (folder / "serbench.toml").write_text(OWN)

    def start(
        self, *options: str, out: str = "runs", **environment: str
    ) -> subprocess.Popen[bytes]:
        sets = [word for each in SETS for word in ("--set", each)]
        names = ["own", "--dataset", "demo", "--profile", "quick", "--data-dir", str(self.corpus)]
        kept = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        return subprocess.Popen(
            [sys.executable, "-m", "serbench", "run", *names, *sets, "--out", out, *options],
            cwd=self.folder,
            env={**kept, "SERBENCH_CACHE": str(self.folder / "cache"), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def finish(self, *options: str, out: str = "runs", **environment: str) -> dict[str, bytes]:
        process = self.start(*options, out=out, **environment)
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told.decode()
        (run,) = (self.folder / out).iterdir()
        return results(run)


def results(run: Path) -> dict[str, bytes]:
    """What a run found, by file."""
    files = {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.suffix in {".parquet", ".csv", ".safetensors", ".npz", ".json"}
        and path.name not in LEFT_OUT
    }
    for name, text in files.items():
        if name.endswith(".json"):
            content = json.loads(text)
            kept = {key: value for key, value in content.items() if key not in WHERE_AND_WHEN}
            files[name] = json.dumps(kept).encode()
    return files


def check_same(found: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> None:
    assert found.keys() == wanted.keys()
    different = [name for name, content in wanted.items() if found[name] != content]
    assert different == []


@pytest.fixture(scope="module")
def wanted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of one job, on a machine that would give it several threads."""
    place = Place(tmp_path_factory.mktemp("one") / "job", corpus)
    return place.finish("--jobs", "1", LC_ALL="C", TZ="UTC", PYTHONHASHSEED="1")


@pytest.mark.slow
def test_killed_and_continued_with_other_jobs_threads_folder_locale_and_timezone(
    wanted: dict[str, bytes], corpus: Path, tmp_path: Path
) -> None:
    assert {"predictions.parquet", "certificate.json", "plan.json"} <= wanted.keys()
    assert sum(name.startswith("models/") for name in wanted) == 3
    moved = Path(shutil.copytree(corpus, tmp_path / "another corpus"))
    place = Place(tmp_path / "Ört lich" / "b", moved)
    elsewhere = {
        "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "3",
        **turkish(tmp_path / "locales"),
    }  # fmt: skip
    process = place.start("--jobs", "2", out="../elsewhere", **elsewhere)
    fits = place.folder / "cache" / "fits"
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if sum(1 for _ in fits.rglob("*.safetensors")) > 4:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was killed before its end"
    check_same(place.finish("--jobs", "2", out="../elsewhere", **elsewhere), wanted)


@pytest.mark.slow
def test_a_cluster(wanted: dict[str, bytes], corpus: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        place = Place(tmp_path / "dask", corpus)
        found = place.finish("--executor", "dask", "--address", cluster.scheduler_address)
    check_same(found, wanted)


def turkish(folder: Path) -> dict[str, str]:
    """The environment of a Turkish machine, where its locale can be made."""
    folder.mkdir()
    if shutil.which("localedef") is None:
        return {"LC_ALL": "C.UTF-8"}
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / "tr_TR.UTF-8")]
    made = subprocess.run(command, capture_output=True, check=False)
    if made.returncode != 0:
        return {"LC_ALL": "C.UTF-8"}
    return {"LC_ALL": "tr_TR.UTF-8", "LOCPATH": str(folder)}
