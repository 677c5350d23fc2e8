from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from serbench.api import Student, StudentShape
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_baselines.networks.transformer import sinusoids
from serbench_baselines.transformer import Transformer, TransformerParams

PARAMS = TransformerParams(dim=16, layers=2, heads=4)


def network(params: TransformerParams = PARAMS) -> nn.Module:
    torch.manual_seed(0)
    return Transformer(params).build(StudentShape(5))


def padded(lengths: Tensor, frames: int) -> Tensor:
    x = torch.randn(len(lengths), 3, 40, frames, generator=torch.Generator().manual_seed(1)) + 0.5
    return x * (torch.arange(frames)[None] < lengths[:, None])[:, None, None, :]


@pytest.mark.parametrize("patch", [1, 4, 5])
def test_a_padded_batch_gives_what_each_window_gives_alone(patch: int) -> None:
    model = network(PARAMS.model_copy(update={"patch_frames": patch})).eval()
    lengths = torch.tensor([1, 4, 5, 22, 41])
    x = padded(lengths, 41)
    with torch.no_grad():
        together = model(x, lengths)
        for n, length in enumerate(lengths.tolist()):
            alone = model(x[n : n + 1, :, :, :length], lengths[n : n + 1])
            torch.testing.assert_close(together.logits[n], alone.logits[0], atol=1e-5, rtol=1e-5)


def test_maps_masks_and_embedding_have_their_shapes() -> None:
    lengths = torch.tensor([10, 41])
    output = network()(padded(lengths, 41), lengths)
    assert output.logits.shape == (2, 5)
    assert output.embedding.shape == (2, 16)
    assert [each.shape for each in output.maps] == [(2, 16, 1, 11)] * 2
    assert output.last_map.shape == (2, 16, 1, 11)
    for mask in (*output.masks, output.last_mask):
        assert mask.sum(dim=1).tolist() == [3, 11]


def test_the_embedding_is_the_mean_over_real_tokens() -> None:
    lengths = torch.tensor([10, 41])
    output = network().eval()(padded(lengths, 41), lengths)
    for n, tokens in enumerate((3, 11)):
        expected = output.last_map[n, :, 0, :tokens].mean(dim=1)
        torch.testing.assert_close(output.embedding[n], expected)


def test_gradients_reach_every_parameter() -> None:
    model = network().train()
    lengths = torch.tensor([41, 30, 20])
    nn.functional.cross_entropy(
        model(padded(lengths, 41), lengths).logits, torch.tensor([0, 1, 2])
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_it_has_no_convolution_and_is_of_the_hybrids_size() -> None:
    registry = load_registry(load_plugins())
    student: Student = registry.make("students", "transformer")  # pyright: ignore[reportAssignmentType]
    model = student.build(StudentShape(7))
    assert not [m for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d)]
    assert 0.3e6 <= sum(p.numel() for p in model.parameters()) <= 1.5e6


@pytest.mark.parametrize("dim", [8, 7])
def test_positions_are_sines_and_cosines(dim: int) -> None:
    codes = sinusoids(9, dim, torch.device("cpu")).numpy()
    half = (dim + 1) // 2
    expected = np.zeros((9, 2 * half))
    for t in range(9):
        for i in range(half):
            angle = t * 10_000.0 ** (-i / half)
            expected[t, i], expected[t, half + i] = np.sin(angle), np.cos(angle)
    np.testing.assert_allclose(codes, expected[:, :dim], atol=1e-5)
