from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import StudentShape
from serbench.testing import check_student
from serbench_baselines.gm_tcnet import GmTcNet, GmTcNetParams
from serbench_baselines.networks.masked import time_reversed
from serbench_baselines.tim_net import TimNet, TimNetParams

Array = NDArray[np.float64]


def sized(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(("blocks", "classes", "count"), [(8, 7, 104_496), (10, 4, 129_650)])
def test_tim_net_has_the_published_number_of_trained_parameters(
    blocks: int, classes: int, count: int
) -> None:
    params = TimNetParams(blocks=blocks)
    assert sized(TimNet(params).build(StudentShape(classes, 1, 39))) == count


def test_gm_tcnet_has_the_published_number_of_trained_parameters() -> None:
    assert sized(GmTcNet(GmTcNetParams()).build(StudentShape(7, 1, 39))) == 260_644


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def causal(x: Array, weight: Array, bias: Array, dilation: int) -> Array:
    """``x (c, frames)``, frame by frame and tap by tap; the last tap is the frame itself."""
    taps = weight.shape[2]
    out = np.zeros((len(weight), x.shape[1]))
    for t in range(x.shape[1]):
        out[:, t] = bias
        for k in range(taps):
            source = t - (taps - 1 - k) * dilation
            if source >= 0:
                out[:, t] += weight[:, :, k] @ x[:, source]
    return out


def drawn(network: nn.Module) -> dict[str, Array]:
    """Every weight and statistic drawn anew, so that none is 0 or 1, and as float64."""
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if name.endswith("running_var") else 0.4 * noise)
    return {name: value.double().numpy() for name, value in network.state_dict().items()}


def utterances(width: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return 3 * torch.randn(3, 1, width, 23, generator=generator) + 1, torch.tensor([23, 9, 1])


def test_tim_net_says_what_sums_in_numpy_say() -> None:
    torch.manual_seed(0)
    network = TimNet(TimNetParams(width=5, blocks=4)).build(StudentShape(3, 1, 6)).eval()
    state = drawn(network)
    features, lengths = utterances()
    with torch.no_grad():
        output = network(features, lengths)
    for n, length in enumerate(lengths.tolist()):
        heard = features[n, 0, :, :length].double().numpy()
        vectors = np.zeros((4, 5))
        for direction, frames in enumerate((heard, heard[:, ::-1])):
            enter = (state[f"enter.{direction}.{key}"] for key in ("weight", "bias"))
            passed = causal(frames, *enter, dilation=1)
            for block in range(4):
                at = f"directions.{direction}.{block}"
                gate = passed
                for half in range(2):
                    gate = causal(
                        gate,
                        state[f"{at}.convs.{half}.weight"],
                        state[f"{at}.convs.{half}.bias"],
                        2**block,
                    )
                    norm = {
                        key: state[f"{at}.norms.{half}.{key}"][:, None]
                        for key in ("running_mean", "running_var", "weight", "bias")
                    }
                    gate = (gate - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5)
                    gate = np.maximum(gate * norm["weight"] + norm["bias"], 0.0)
                passed *= sigmoid(gate)
                vectors[block] += passed.mean(axis=1)
        embedding = state["weights"] @ vectors
        logits = state["classify.weight"] @ embedding + state["classify.bias"]
        np.testing.assert_allclose(output.embedding[n], embedding, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output.logits[n], logits, rtol=1e-4, atol=1e-5)


def test_gm_tcnet_says_what_sums_in_numpy_say() -> None:
    torch.manual_seed(0)
    params = GmTcNetParams(width=5, blocks=3, pairs=3)
    network = GmTcNet(params).build(StudentShape(3, 1, 6)).eval()
    state = drawn(network)
    features, lengths = utterances()
    with torch.no_grad():
        output = network(features, lengths)
    for n, length in enumerate(lengths.tolist()):
        x = causal(
            features[n, 0, :, :length].double().numpy(),
            state["enter.weight"],
            state["enter.bias"],
            1,
        )
        total = np.zeros_like(x)
        for block in range(3):
            result = x
            for half in range(2):
                weight = state[f"blocks.{block}.{half}.convs.weight"].reshape(2, 3, 5, 5, 2)
                bias = state[f"blocks.{block}.{half}.convs.bias"].reshape(2, 3, 5)
                pairs = []
                for pair in range(3):
                    value, gate = (
                        np.maximum(
                            causal(result, weight[w, pair], bias[w, pair], 2 ** (block + half)), 0.0
                        )
                        for w in range(2)
                    )
                    pairs.append(value * sigmoid(gate))
                result = np.mean(pairs, axis=0)
            total += result
            x = x + result
        embedding = np.where(total > 0, total, 0.05 * total).mean(axis=1)
        logits = state["classify.weight"] @ embedding + state["classify.bias"]
        np.testing.assert_allclose(output.embedding[n], embedding, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output.logits[n], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("cls", "params"), [(TimNet, {"width": 3, "kernel": 3}), (GmTcNet, {"width": 3, "pairs": 1})]
)
def test_small_ones_keep_the_contract_too(cls: type, params: dict[str, int]) -> None:
    check_student(cls, params)


def test_real_frames_alone_are_reversed() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 3.0, 4.0]])[..., None]
    there = time_reversed(x, torch.tensor([3, 4]))
    assert there[0, :3, 0].tolist() == [3.0, 2.0, 1.0]
    assert there[1, :, 0].tolist() == [4.0, 3.0, 2.0, 1.0]


def test_padding_has_no_part_in_the_statistics_of_training() -> None:
    states = []
    for frames, fill in ((12, 0.0), (40, 50.0)):
        torch.manual_seed(0)
        network = TimNet(TimNetParams(width=5, blocks=2, dropout=0.0)).build(StudentShape(3, 1, 6))
        features = torch.full((4, 1, 6, frames), fill)
        features[..., :12] = torch.randn(4, 1, 6, 12, generator=torch.Generator().manual_seed(1))
        logits = network.train()(features, torch.full((4,), 12)).logits
        states.append((logits, network.state_dict()))
    (logits, state), (padded_logits, padded_state) = states
    torch.testing.assert_close(padded_logits, logits)
    for name, value in state.items():
        torch.testing.assert_close(padded_state[name], value, msg=name)
