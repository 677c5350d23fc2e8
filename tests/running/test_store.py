from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests_support import run_maker

from serbench.api import StoreError
from serbench.files.atomic import STALE_S
from serbench.running.store.cache import FitCache
from serbench.running.store.environment import environment
from serbench.running.store.find import find_run, list_runs
from serbench.running.store.run import RunStore

DATASET = {
    "name": "emodb", "labels": ["anger", "sadness"], "corpus_digest": "c1", "utterances": 2,
}  # fmt: skip
PLAN: dict[str, object] = run_maker.plan(["akd"], 1, 2) | {"digest": "d1", "dataset": DATASET}
FIT = run_maker.fit("akd", 1, 2, 0)
KEY = "0123456789abcdef"


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": ["akd", "akd"],
            "seed": [0, 0],
            "outer": [1, 2],
            "utterance": ["u1", "u2"],
            "speaker": ["03", "08"],
            "label": ["anger", "sadness"],
            "predicted": ["anger", "anger"],
            "p_anger": [0.9, 0.6],
            "p_sadness": [0.1, 0.4],
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "run")
    store.create(PLAN)
    return store


def test_what_is_written_is_read_back(store: RunStore) -> None:
    tensors = {"weight": torch.randn(3, 2).T, "bias": torch.zeros(2)}
    store.write_json("timing", {"wall_s": 1.5})
    store.write_fit(FIT)
    store.write_model("teacher:a/b", 1, 0, tensors)
    store.write_predictions(rows())
    assert store.plan() == PLAN
    assert store.read_json("timing") == {"wall_s": 1.5}
    assert store.fits() == (FIT,)
    pd.testing.assert_frame_equal(store.predictions(), rows(), check_dtype=False)
    model = store.read_model("teacher:a/b", 1, 0)
    assert all(torch.equal(model[name], tensor) for name, tensor in tensors.items())
    assert not list(store.folder.rglob("*.tmp"))


def test_a_run_goes_on_in_its_own_folder_only(store: RunStore, tmp_path: Path) -> None:
    store.create(PLAN)
    with pytest.raises(StoreError, match=r"another run \(digest d1, this run's is d2\)"):
        store.create({**PLAN, "digest": "d2"})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StoreError, match="not a serbench run and is not empty"):
        RunStore(tmp_path / "photos").create(PLAN)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is a file"):
        RunStore(tmp_path / "file").create(PLAN)


def test_a_run_killed_before_its_plan_was_whole_can_start_again(tmp_path: Path) -> None:
    (tmp_path / ".plan.json.77-aa.tmp").write_text('{"dig')
    RunStore(tmp_path).create(PLAN)
    assert RunStore(tmp_path).plan() == PLAN


def test_going_on_removes_old_leftovers_and_spares_new_ones(store: RunStore) -> None:
    old, new = store.folder / ".a.json.1-aa.tmp", store.folder / ".b.json.2-bb.tmp"
    old.touch()
    new.touch()
    stale_s = time.time() - 2 * STALE_S
    os.utime(old, (stale_s, stale_s))
    store.create(PLAN)
    assert (old.exists(), new.exists()) == (False, True)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*file/run/plan\.json: Not a directory"):
        RunStore(tmp_path / "file" / "run").create(PLAN)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("plan.json", lambda store: store.plan()),
        ("fits/a.json", lambda store: store.fits()),
        ("predictions.parquet", lambda store: store.predictions()),
        ("models/akd/outer-1-seed-0.safetensors", lambda store: store.read_model("akd", 1, 0)),
    ],
)
def test_a_truncated_file_is_named(store: RunStore, name: str, read: object) -> None:
    store.write_fit(FIT | {"fit": "a"})
    store.write_predictions(rows())
    store.write_model("akd", 1, 0, {"weight": torch.zeros(8)})
    path = store.folder / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StoreError, match=rf"{path.name} is damaged \(.*run the same command"):
        read(store)  # pyright: ignore[reportCallIssue]


def test_missing_things_are_named(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no timing\.json"):
        store.read_json("timing")
    with pytest.raises(StoreError, match="has not finished"):
        store.predictions()
    with pytest.raises(StoreError, match="no run folder"):
        RunStore(tmp_path / "nowhere").predictions()
    with pytest.raises(StoreError, match="missing columns seed, speaker"):
        store.write_predictions(rows().drop(columns=["seed", "speaker"]))
    store.write_predictions(rows().drop(columns="p_sadness"))
    with pytest.raises(StoreError, match="missing columns p_sadness"):
        store.predictions()
    (store.folder / "timing.json").write_text("[1]")
    with pytest.raises(StoreError, match="not a JSON object"):
        store.read_json("timing")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"history": [{"terms": {"kl": float("nan")}}]}, r"history\[0\]\.terms\.kl is nan"),
        ({"place": Path("x")}, "place is a PosixPath"),
    ],
)
def test_what_json_cannot_hold_is_located(
    store: RunStore, value: Mapping[str, object], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        store.write_fit({"fit": "a", **value})
    with pytest.raises(StoreError, match=message):
        FitCache(store.folder, "fits").put(KEY, value)


def cached(root: Path) -> FitCache:
    cache = FitCache(root, "fits")
    cache.put(
        KEY,
        {"epochs": 3},
        {"posteriors": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1]},
        {"bias": torch.tensor(0.5), "weight": torch.ones(2, 2, dtype=torch.bfloat16)},
    )
    return cache


def test_a_cached_fit_is_read_back(tmp_path: Path) -> None:
    record = cached(tmp_path).get(KEY)
    assert record is not None
    assert record.json == {"epochs": 3}
    np.testing.assert_array_equal(record.arrays["posteriors"], [[2, 1, 0], [5, 4, 3]])
    assert record.tensors["bias"] == 0.5
    assert record.tensors["weight"].dtype is torch.bfloat16
    assert FitCache(tmp_path, "fits").get("f" * 16) is None


def test_what_was_written_must_be_there(tmp_path: Path) -> None:
    assert cached(tmp_path).written(KEY).json == {"epochs": 3}
    with pytest.raises(
        StoreError, match=r"f+\.safetensors was just written and cannot be read back"
    ):
        FitCache(tmp_path, "fits").written("f" * 16)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "json"])
def test_a_damaged_cached_fit_is_absent_and_logged(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = cached(tmp_path)
    path = cache.path(KEY)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
    elif damage == "json":
        place = content.index(b"epochs")
        content[place] = ord("E")
    else:
        del content[0 if damage == "emptied" else -3 :]
    path.write_bytes(content)
    assert cache.get(KEY) is None
    assert f"cached fit {path} is damaged" in caplog.text
    cached(tmp_path)
    assert cache.get(KEY) is not None


def test_no_turned_bit_of_a_cached_fit_goes_unnoticed(tmp_path: Path) -> None:
    cache = cached(tmp_path)
    path, due = cache.path(KEY), cache.get(KEY)
    content = path.read_bytes()
    assert due is not None
    for place in range(0, len(content), 3):
        turned = bytearray(content)
        turned[place] ^= 1 << place % 8
        path.write_bytes(turned)
        record = cache.get(KEY)
        # Neither padding nor the kind, which gc alone looks at, changes what is read.
        if record is not None:
            assert record.json == due.json
            for name, array in due.arrays.items():
                np.testing.assert_array_equal(record.arrays[name], array)
            assert all(torch.equal(record.tensors[name], t) for name, t in due.tensors.items())


def test_a_cache_key_cannot_leave_the_cache(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a digest"):
        FitCache(tmp_path, "fits").get("../../etc/passwd")


KILLED = """
    import json, os, signal, sys, time
    from pathlib import Path
    import numpy as np, pandas as pd
    from serbench.running.store.cache import FitCache
    from serbench.running.store.run import RunStore

    root = Path(sys.argv[1])
    store, cache, key = RunStore(root / "run"), FitCache(root / "cache", "fits"), "0123456789abcdef"
    columns = ["method", "utterance", "speaker", "label", "predicted"]
    frame = pd.DataFrame({name: ["anger"] * 500 for name in columns}).assign(seed=0, outer=1)

    def write(n):
        store.write_json("environment", {"n": n, "filler": "x" * 300_000})
        store.write_predictions(frame.assign(n=n, p_anger=1.0, p_sadness=0.0))
        cache.put(key, {"n": n}, {"posteriors": np.full((200, 300), n)})

    def whole():
        place, held, fit = store.read_json("environment"), store.predictions(), cache.get(key)
        assert len(place["filler"]) == 300_000 and len(held) == 500 and fit is not None
        assert (fit.arrays["posteriors"] == fit.json["n"]).all() and held["n"].nunique() == 1

    store.create(json.loads(sys.argv[2]))
    write(0)
    kills = 0
    while kills < 60 and len(list(root.rglob("*.tmp"))) < 3:
        writer = os.fork()
        if writer == 0:
            n = 0
            while True:
                n += 1
                write(n)
        time.sleep(0.01 + 0.003 * kills)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        kills += 1
        whole()
    print(len(list(root.rglob("*.tmp"))))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_killed_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), json.dumps(PLAN)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3, "no kill hit a write: the test has shown nothing"


def make_runs(folder: Path, *names: str) -> None:
    for age, name in enumerate(names):
        RunStore(folder / name).create(PLAN)
        os.utime(folder / name / "plan.json", (1e9 - age, 1e9 - age))


def test_runs_are_found_by_name_by_folder_and_by_age(tmp_path: Path) -> None:
    make_runs(tmp_path, "newest", "older")
    (tmp_path / "not-a-run").mkdir()
    assert [run.name for run in list_runs(tmp_path)] == ["newest", "older"]
    assert find_run(None, tmp_path) == tmp_path / "newest"
    assert find_run("older", tmp_path) == tmp_path / "older"
    assert find_run(str(tmp_path / "older"), Path("elsewhere")) == tmp_path / "older"


def test_an_unknown_run_lists_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run is in"):
        find_run(None, tmp_path)
    make_runs(tmp_path, "emodb-akd", "emodb-kd")
    with pytest.raises(StoreError, match=r"did you mean emodb-akd\? In .*: emodb-akd, emodb-kd"):
        find_run("emodb-ak", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"is not a serbench run: it has no plan\.json"):
        find_run(str(tmp_path / "empty"), tmp_path)


def test_the_environment_is_json_and_names_no_user_or_host() -> None:
    class Plugin:
        entry_point, distribution, version = "mine", "my-plugin", "2.0"

    found = environment([Plugin()])
    text = json.dumps(found)
    assert found["plugins"] == [
        {"entry_point": "mine", "distribution": "my-plugin", "version": "2.0"}
    ]
    assert found["torch_threads"] == torch.get_num_threads()
    packages = found["packages"]
    assert isinstance(packages, dict)
    assert packages["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert packages["numpy"] == np.__version__
    assert os.uname().nodename not in text or len(os.uname().nodename) < 4
    assert str(Path.home()) not in text


def test_readings_are_read_back_and_are_the_same_bytes(store: RunStore) -> None:
    arrays = {
        "ids": np.array(["u1", "ü2"]),
        "gamma": np.array([[0.25, np.nan]], dtype=np.float32),
        "file": np.zeros((1, 2, 3)),
    }
    path = store.readings_path("teacher:a/b", 1, 0)
    assert path.name == "outer-1-seed-0.npz"
    store.write_readings("teacher:a/b", 1, 0, arrays)
    written = path.read_bytes()
    held = store.read_readings("teacher:a/b", 1, 0)
    assert held.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(held[name], array)
        assert held[name].dtype == array.dtype
    store.write_readings("teacher:a/b", 1, 0, arrays)
    assert path.read_bytes() == written


def test_missing_and_damaged_readings_are_named(store: RunStore) -> None:
    with pytest.raises(StoreError, match=r"readings.akd has no outer-2-seed-1\.npz"):
        store.read_readings("akd", 2, 1)
    path = store.readings_path("akd", 2, 1)
    store.write_readings("akd", 2, 1, {"gamma": np.arange(1000.0)})
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    array = io.BytesIO()
    np.save(array, np.arange(3))
    for content in (whole[:-5], whole[:40], b"", bytes(flipped), array.getvalue()):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"outer-2-seed-1\.npz is damaged \(.*run the same"):
            store.read_readings("akd", 2, 1)
