"""The exported graph, in ONNX Runtime, against the student's own path, window by window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests_support.front_ends import front_end
from tests_support.runs import LinearNetwork, LinearStudent
from tests_support.trained import LABELS, expected, noise, trained
from torch import Tensor, nn

from serbench.api import Params, StudentOutput, StudentShape
from serbench.device.export.deployed import Deployed, Trained
from serbench.device.export.modules import channels
from serbench.learning.features import student_input
from serbench.settings import SegmentSettings
from serbench_akd.hybrid import Hybrid, HybridParams
from serbench_baselines.transformer import Transformer, TransformerParams

TINY = HybridParams(stem_channels=(4, 8), blocks=1, time_blocks=1, heads=2, fused_dim=8)

LENGTHS = (1600, 7000, 12_800, 12_801, 20_080, 40_000)


class Loudness(LinearStudent):
    """The mean of each place's absolute value, which no sign cancels."""

    name = "loudness"

    def build(self, shape: StudentShape) -> nn.Module:
        return LoudnessNetwork(shape)


class LoudnessNetwork(LinearNetwork):
    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        return super().forward(features.abs() * 20.0, lengths)


def models() -> dict[str, Trained]:
    small = TransformerParams(dim=8, layers=1, heads=2)
    return {
        "linear": trained(),
        "hybrid": trained(Hybrid(TINY)),
        "transformer": trained(Transformer(small), segments=SegmentSettings()),
        "middle": trained(segments=SegmentSettings(window_s=0.8, cut="centre")),
        "utterance": trained(front_end=front_end(normalise="utterance")),
        "whisper": trained(front_end=front_end("whisper")),
        "whisper, normalised": trained(front_end=front_end("whisper", normalise="partition")),
        "waveform": trained(Loudness(Params()), front_end("waveform")),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module", params=list(models()))
def made(request: pytest.FixtureRequest, folder: Path) -> tuple[Trained, Deployed]:
    model = models()[request.param]
    return model, model.write(folder / request.param, [noise(3000)])


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_any_length_and_number_give_the_students_own_posteriors(
    made: tuple[Trained, Deployed],
) -> None:
    model, deployed = made
    graph = session(deployed.onnx)
    for samples in LENGTHS:
        rows = np.stack([noise(samples, seed) for seed in range(1 + samples % 3)])
        found = graph.run(None, {"waveform": rows})[0]
        truth = np.stack([expected(model, row) for row in rows])
        assert found.shape == (len(rows), len(LABELS))
        np.testing.assert_allclose(found, truth, atol=2e-5, err_msg=f"{samples} samples")
        with torch.inference_mode():
            eager = deployed.module()(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(eager, truth, atol=2e-5, err_msg=f"{samples} samples")


def test_windows_of_fixed_shape_give_the_same(made: tuple[Trained, Deployed]) -> None:
    model, deployed = made
    if model.front_end.params.normalise == "utterance":
        pytest.skip("its windows cannot be run one by one, which test_deployed holds")
    graph = session(deployed.window_onnx)
    module = deployed.window_module()
    for samples in LENGTHS:
        waveform = noise(samples)
        windows, lengths = deployed.windows(waveform)
        each = [
            graph.run(None, {"window": windows[n : n + 1], "length": lengths[n : n + 1]})[0][0]
            for n in range(len(windows))
        ]
        truth = expected(model, waveform)
        np.testing.assert_allclose(np.mean(each, axis=0), truth, atol=2e-5)
        with torch.inference_mode():
            whole = module(torch.from_numpy(windows), torch.from_numpy(lengths))
        np.testing.assert_allclose(whole.numpy().mean(axis=0), truth, atol=2e-5)


def test_the_graph_carries_its_facts_and_names_its_parts(made: tuple[Trained, Deployed]) -> None:
    model, deployed = made
    graph = onnx.load(deployed.onnx)
    facts = json.loads({entry.key: entry.value for entry in graph.metadata_props}["serbench"])
    assert facts["labels"] == list(LABELS)
    assert facts["sample_rate_hz"] == 16_000
    assert facts["provenance"] == {"trained": "never"}
    assert facts["student"]["plugin"] == model.student.name
    parts = {node.name.partition("/")[0] for node in graph.graph.node}
    assert parts == {"frontend", "cut", "student", "mean"}
    assert not any(node.domain for node in graph.graph.node)
    text = deployed.onnx.read_bytes()
    assert str(Path.cwd()).encode() not in text, "paths of this machine are in the file"


def test_channels_are_what_students_are_trained_on() -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(3, 20, 5, generator=generator)
    lengths = torch.tensor([20, 13, 1])
    for row, length in enumerate(lengths):
        frames[row, length:] = frames[row, length - 1]
    truth = student_input(frames, lengths)
    torch.testing.assert_close(channels(frames, 3, lengths), truth, atol=1e-6, rtol=1e-5)
    whole = student_input(frames, torch.full((3,), 20))
    torch.testing.assert_close(channels(frames, 3), whole, atol=1e-6, rtol=1e-5)
    assert torch.equal(channels(frames, 1, lengths), student_input(frames, lengths, 1))
    assert torch.equal(channels(frames, 1), frames.transpose(1, 2)[:, None])
