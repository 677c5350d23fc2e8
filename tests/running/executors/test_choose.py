from __future__ import annotations

import sys
from pathlib import Path

import pytest

from serbench.api import SerbenchError
from serbench.running.executors.choose import make_executor
from serbench.running.executors.local import LocalExecutor


def test_here_it_has_as_many_workers_as_jobs(tmp_path: Path) -> None:
    made = make_executor(jobs=3, cache=tmp_path)
    assert isinstance(made, LocalExecutor)
    assert made.workers == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"address": "tcp://host:1"},
            r"--address is the address of a cluster.*--executor dask or ray",
        ),
        ({"name": "dask"}, r"--address tcp://HOST:8786.*dask scheduler"),
        ({"name": "ray", "address": "auto", "jobs": 2}, r"--jobs 2.*number of workers"),
        ({"device": "tpu"}, r"--device tpu"),
    ],
)
def test_options_that_exclude_each_other_are_named(
    arguments: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(SerbenchError, match=said):
        make_executor(**arguments, cache=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_missing_package_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {"dask": ("dask", "distributed"), "ray": ("ray",)}
    monkeypatch.delitem(sys.modules, f"serbench.running.executors.{name}", raising=False)
    for each in packages[name]:
        monkeypatch.setitem(sys.modules, each, None)
    with pytest.raises(SerbenchError, match=rf"pip install serbench\[{name}\]"):
        make_executor(name, "tcp://host:1", cache=tmp_path)  # type: ignore[arg-type]
