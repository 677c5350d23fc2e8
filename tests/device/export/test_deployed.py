from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests_support.front_ends import LOG_MEL, front_end
from tests_support.runs import LinearStudent
from tests_support.trained import LABELS, noise, trained

from serbench.api import PluginError, StoreError
from serbench.device.export.deployed import Deployed
from serbench_front_ends.log_mel import LogMel

OWN: dict[str, type] = {"students": LinearStudent, "front_ends": LogMel}
PLUGINS: Any = SimpleNamespace(get=lambda kind, _: OWN[kind])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deployed")
    trained().write(place, [noise(2000), noise(3000, 1)])
    return place


def test_a_fresh_process_finds_all_that_was_written(folder: Path) -> None:
    found = Deployed.read(folder, PLUGINS)
    assert found.labels == LABELS
    assert found.window_samples == (80 + 2) * 160
    waveform = torch.from_numpy(noise(20_000))[None]
    with torch.inference_mode():
        torch.testing.assert_close(
            found.module()(waveform),
            Deployed(folder, LinearStudent(LinearStudent.Params()), LOG_MEL, found.card).module()(
                waveform
            ),
        )
    calibration = found.calibration()
    np.testing.assert_array_equal(calibration[1], noise(3000, 1))
    assert len(calibration) == 2


def test_each_module_is_fresh_and_takes_no_gradient(folder: Path) -> None:
    found = Deployed.read(folder, PLUGINS)
    one, other = found.module(), found.module()
    assert not one.training
    assert all(
        a is not b and not a.requires_grad
        for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_a_whole_utterance_front_end_has_no_windows(tmp_path: Path) -> None:
    model = trained(front_end=front_end(normalise="utterance")).write(tmp_path)
    for ask in (model.window_module, lambda: model.window_onnx):
        with pytest.raises(PluginError, match="mean over the whole utterance"):
            ask()


def damage(folder: Path, copy: Path, name: str, content: bytes | None) -> Deployed:
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content)
    return Deployed.read(copy, PLUGINS)


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]"])
def test_a_damaged_card_is_told(folder: Path, tmp_path: Path, content: bytes | None) -> None:
    with pytest.raises(StoreError, match=r"model\.json is missing or damaged"):
        damage(folder, tmp_path, "model.json", content)


def test_a_card_with_foreign_settings_is_told(folder: Path, tmp_path: Path) -> None:
    card = json.loads((folder / "model.json").read_text())
    card["framing"]["filters"] = 3
    found = damage(folder, tmp_path, "model.json", json.dumps(card).encode())
    with pytest.raises(StoreError, match="another version of serbench"):
        found.module()


@pytest.mark.parametrize("content", [None, b"", b"0123456789"])
def test_damaged_weights_are_told(folder: Path, tmp_path: Path, content: bytes | None) -> None:
    found = damage(folder, tmp_path, "student.safetensors", content)
    with pytest.raises(StoreError, match=r"student\.safetensors is missing, damaged"):
        found.module()
