from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import StudentShape
from serbench.testing import check_student
from serbench_baselines.light_ser import LightSer, LightSerParams

Array = NDArray[np.float64]
SMALL = LightSerParams(paths=3, filters=(4, 5, 6, 4, 7))


def test_it_has_the_published_number_of_trained_parameters() -> None:
    network = LightSer(LightSerParams()).build(StudentShape(7, 1, 40))
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 461_703


def test_the_penalty_is_on_the_five_later_convolutions_alone() -> None:
    network = LightSer(LightSerParams()).build(StudentShape(7, 1, 40))
    spared = {network.get_parameter(name) for name in network.undecayed}  # pyright: ignore[reportGeneralTypeIssues]
    decayed = [p.shape for p in network.parameters() if p not in spared]
    assert decayed == [
        (64, 96, 3, 3), (96, 64, 3, 3), (128, 96, 3, 3), (160, 128, 3, 3), (320, 160, 1, 1),
    ]  # fmt: skip


def test_a_small_one_keeps_the_contract_too() -> None:
    check_student(LightSer, SMALL.model_dump())


def convolved(x: Array, weight: Array, bias: Array) -> Array:
    """``x (c, bins, frames)`` with zeros around it, cell by cell."""
    outputs, _, high, wide = weight.shape
    around = np.pad(x, ((0, 0), (high // 2,) * 2, (wide // 2,) * 2))
    out = np.zeros((outputs, *x.shape[1:]))
    for b in range(x.shape[1]):
        for t in range(x.shape[2]):
            cell = around[:, b : b + high, t : t + wide]
            out[:, b, t] = (weight * cell).sum(axis=(1, 2, 3)) + bias
    return out


def pooled(x: Array, high: int, wide: int) -> Array:
    """Means over cells; the last ones may be smaller."""
    bins, frames = range(0, x.shape[1], high), range(0, x.shape[2], wide)
    return np.stack(
        [
            np.stack([x[:, b : b + high, t : t + wide].mean(axis=(1, 2)) for t in frames], axis=-1)
            for b in bins
        ],
        axis=1,
    )


def test_it_says_what_sums_in_numpy_say() -> None:
    torch.manual_seed(0)
    network = LightSer(SMALL).build(StudentShape(3, 1, 11)).eval()
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if name.endswith("running_var") else 0.4 * noise)
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    features = torch.randn(3, 1, 11, 37, generator=generator) + 0.5
    lengths = torch.tensor([37, 18, 1])
    with torch.no_grad():
        output = network(features, lengths)

    def part(at: str, x: Array, high: int, wide: int) -> Array:
        weight = state[f"{at}.conv.weight"]
        x = convolved(x, weight, state.get(f"{at}.conv.bias", np.zeros(len(weight))))
        of = {key: state[f"{at}.norm.{key}"][:, None, None] for key in ("weight", "bias")}
        mean, variance = (
            state[f"{at}.norm.running_{key}"][:, None, None] for key in ("mean", "var")
        )
        x = (x - mean) / np.sqrt(variance + 1e-5) * of["weight"] + of["bias"]
        return pooled(np.maximum(x, 0.0), high, wide)

    for n, length in enumerate(lengths.tolist()):
        heard = features[n, :, :, :length].double().numpy()
        x = np.concatenate([part(f"paths.{p}", heard, 2, 2) for p in range(3)])
        assert state["paths.0.conv.weight"].shape[2:] == (1, 11)  # eleven frames of one value
        assert state["paths.1.conv.weight"].shape[2:] == (9, 1)
        for level, (high, wide) in enumerate(((2, 2), (2, 2), (1, 2), (1, 2), (1, 1))):
            x = part(f"body.{level}", x, high, wide)
        embedding = x.mean(axis=(1, 2))
        logits = state["classify.weight"] @ embedding + state["classify.bias"]
        np.testing.assert_allclose(output.embedding[n], embedding, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output.logits[n], logits, rtol=1e-4, atol=1e-5)


def test_padding_has_no_part_in_the_statistics_of_training() -> None:
    states = []
    for frames, fill in ((21, 0.0), (50, 30.0)):
        torch.manual_seed(0)
        network = LightSer(SMALL.model_copy(update={"dropout": 0.0})).build(StudentShape(3, 1, 11))
        features = torch.full((4, 1, 11, frames), fill)
        features[..., :21] = torch.randn(4, 1, 11, 21, generator=torch.Generator().manual_seed(1))
        logits = network.train()(features, torch.full((4,), 21)).logits
        states.append((logits, network.state_dict()))
    (logits, state), (padded_logits, padded_state) = states
    torch.testing.assert_close(padded_logits, logits)
    for name, value in state.items():
        torch.testing.assert_close(padded_state[name], value, msg=name)
