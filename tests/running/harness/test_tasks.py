from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support.runs import candidate, method, run_plan
from tests_support.tables import write_noise

from serbench.api import Backend
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness import code
from serbench.running.harness.inputs import load_dataset, load_inputs
from serbench.running.harness.observer import Observer
from serbench.running.harness.tasks import FitPlace, TaskMaker
from serbench.running.harness.views import Views
from serbench_backends.torch import TorchBackend, TorchParams


def test_names_count_from_one_where_people_count() -> None:
    assert FitPlace("akd", 0, 0, 1, 0).name == "akd/seed-0/outer-1/candidate-2/inner-1"
    assert FitPlace("akd", 3, 4, 1).name == "akd/seed-3/outer-5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks") / "noise"
    write_noise(folder, speakers=3, utterances=2)
    return folder


def keys(
    folder: Path,
    device: str = "cpu",
    epochs: int | None = None,
    backend: Backend | None = None,
    **training: Any,
) -> str:
    plan = run_plan(folder, method("m", candidate(**training)))
    plan = replace(plan, backend=backend or plan.backend)
    cache = folder.parent / "cache"
    table = load_dataset(plan.dataset, None, cache, Observer())
    inputs = load_inputs(plan, table, None, cache, "cpu", Observer())
    outer = outer_splits(table, "loso", 5)
    split = outer[0]
    maker = TaskMaker(plan, inputs, Views(table, outer), {}, {}, device)
    return maker.make(FitPlace("m", 0, 0, 0), split, epochs).key


def test_a_fits_address_names_all_that_decides_it(folder: Path) -> None:
    base = keys(folder)
    assert keys(folder) == base
    assert len({base, keys(folder, device="cuda"), keys(folder, epochs=7),
                keys(folder, learning_rate=0.1), keys(folder, clip_norm=None)}) == 5  # fmt: skip


def test_an_address_names_the_backend_with_its_parameters_and_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp32, bf16 = (TorchBackend(TorchParams(precision=name)) for name in ("fp32", "bf16"))
    base = keys(folder, backend=fp32)
    assert keys(folder, backend=TorchBackend(TorchParams())) == base
    assert keys(folder, backend=bf16) != base
    true = code.package_digest
    changed = lambda cls: "other" if cls is TorchBackend else true(cls)  # noqa: E731
    monkeypatch.setattr(code, "package_digest", changed)
    assert keys(folder, backend=fp32) != base


def test_an_address_names_the_precision_that_auto_comes_out_as(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp32, bf16 = keys(folder, precision="fp32"), keys(folder, precision="bf16")
    assert fp32 != bf16
    for has, expected in ((True, bf16), (False, fp32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        assert keys(folder, precision="auto") == expected


def test_an_address_names_the_version_of_torch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = keys(folder)
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert keys(folder) != base
