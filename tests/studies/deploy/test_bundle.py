from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support.fake_backend import FakeParams

from serbench.api import StoreError
from serbench.studies.deploy.backends import choose_backends
from serbench.studies.deploy.bundle import CARRIED, Bundle, probes, write_bundle
from serbench.studies.deploy.results import read_results
from serbench.studies.deploy.tables import deploy_tables

Measured = subprocess.CompletedProcess[str]


def write(deployed: Any, folder: Path, *names: str) -> Bundle:
    chosen = choose_backends(deployed.registry, names)
    return write_bundle(deployed.replay, chosen, folder)


@pytest.fixture(scope="session")
def bundle(deployed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carried") / "bundle"
    made = write(deployed, folder, "flat", "turned", "refuses")
    assert made.models == ("torch", "flat")
    assert made.left_out == {
        "turned": "its model is not a single file that ONNX Runtime can run alone",
        "refuses": "conversion: cannot express a mean",
    }
    return folder


def run_script(bundle: Path, *arguments: str) -> Measured:
    """As on a device that knows nothing of serbench."""
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(bundle / "measure.py"), "--rounds", "1", "--budget", "0", *arguments],
        capture_output=True, text=True, check=False, cwd=bundle, env=environment,
    )  # fmt: skip


def test_a_bundle_has_models_probes_script_and_commands(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == {
        "torch.onnx", "flat.onnx", "probes.npz", "manifest.json", *CARRIED,
    }  # fmt: skip
    readme = (bundle / "README.txt").read_text()
    for command in ("pip install numpy onnxruntime", "measure.py --threads", "serbench deploy RUN"):
        assert command in readme
    assert "synthetic" in readme


def test_what_a_device_measures_becomes_rows_of_the_table(deployed: Any, bundle: Path) -> None:
    done = run_script(bundle, "--name", "Jetson", "--output", "results.json")
    assert done.returncode == 0, done.stderr
    assert "posteriors within" in done.stdout
    found = read_results(bundle / "results.json", deployed.study.results.run)
    assert (found.machine.name, found.settings.rounds) == ("Jetson", 1)
    assert [row.name for row in found.rows] == ["torch", "flat"]
    for row in found.rows:
        assert row.outcome == "measured"
        assert row.probe_difference is not None
        assert row.probe_difference < 1e-4
        assert row.rounds[0].stages_s["open"] > 0
    study = replace(deployed.study, imported=(found,))
    headings = [section.heading for section in deploy_tables(study)[0].sections]
    assert headings[-1] == "Jetson: ratios to torch there"


def test_a_provider_that_is_not_there_is_an_error(bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    done = run_script(bundle, "--provider", "NoSuchProvider", "--output", str(output))
    assert done.returncode == 1
    assert "NoSuchProvider is not in this ONNX Runtime" in done.stdout
    assert {row["outcome"] for row in json.loads(output.read_text())["rows"]} == {"failed"}


def test_a_damaged_model_is_not_measured(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "bundle"
    shutil.copytree(bundle, other)
    (other / "flat.onnx").write_bytes(b"cut")
    done = run_script(other)
    assert done.returncode == 1
    assert "damaged or missing: flat.onnx" in done.stderr


def test_a_bundle_overwrites_nothing(deployed: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        write(deployed, tmp_path, "flat")


def test_a_bundle_of_nothing_is_refused(
    deployed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deployed.registry.backends, "torch", FakeParams(mode="refuses"))
    with pytest.raises(StoreError, match="no backend can write a model for a bundle: torch: "):
        write(deployed, tmp_path / "new", "torch")


def test_probes_are_synthetic_and_always_the_same(bundle: Path) -> None:
    with np.load(bundle / "probes.npz", allow_pickle=False) as kept:
        for number, probe in enumerate(probes()):
            np.testing.assert_array_equal(kept[f"wave_{number}"], probe)
        np.testing.assert_allclose(kept["posteriors"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["measure.py", "instruments.py"])
def test_the_script_is_of_python_3_8_and_needs_numpy_alone(bundle: Path, name: str) -> None:
    tree = ast.parse((bundle / name).read_text(), feature_version=(3, 8))
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [each.name for each in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip
    assert imported - set(sys.stdlib_module_names) <= {"numpy", "onnxruntime", "instruments"}
