from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from serbench.api import StudentShape
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench_akd.hybrid import Hybrid, HybridParams
from serbench_akd.networks.layers import AttentiveStatistics, SelfAttention, frame_mask, halved

CLASSES = 7
SMALL = HybridParams(stem_channels=(4, 8, 16), fused_dim=16, heads=2)
VARIANTS = {
    "small": SMALL,
    "no residuals": SMALL.model_copy(update={"residual_convolutions": 0, "blocks": 1}),
    "no skips": SMALL.model_copy(update={"skips": False}),
    "no convolutions": SMALL.model_copy(update={"convolutions": False, "skips": False}),
    "two stages": SMALL.model_copy(update={"stem_channels": (4, 8)}),
    "time blocks": SMALL.model_copy(update={"time_blocks": 2}),
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(load_plugins())


def network(params: HybridParams, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = Hybrid(params).build(StudentShape(CLASSES))
    for module in model.modules():  # statistics as after training
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model


def padded(lengths: Tensor, frames: int) -> Tensor:
    """Windows as ``student_input`` makes them: padding at 0."""
    x = torch.randn(len(lengths), 3, 40, frames, generator=torch.Generator().manual_seed(1)) + 0.5
    return x * frame_mask(lengths, frames)[:, None, None, :]


def parameters(registry: Registry, name: str) -> int:
    student: Hybrid = registry.make("students", name)  # pyright: ignore[reportAssignmentType]
    with torch.device("meta"):
        model = student.build(StudentShape(CLASSES))
    return sum(p.numel() for p in model.parameters())


def test_presets_are_of_the_announced_size(registry: Registry) -> None:
    tiny, small, paper = (parameters(registry, f"hybrid-{n}") for n in ("tiny", "small", "paper"))
    assert tiny < small
    assert tiny <= 0.3e6
    assert small <= 1.5e6
    assert 19.8e6 <= paper <= 25.5e6


def test_mha_has_neither_convolutions_nor_skips(registry: Registry) -> None:
    mha: Hybrid = registry.make("students", "mha")  # pyright: ignore[reportAssignmentType]
    model = mha.build(StudentShape(CLASSES))
    mixing = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d) and module.kernel_size != module.stride
    ]
    assert mixing == []  # a patch embedding, whose patches do not overlap, is a linear layer
    assert not hasattr(model, "skip")


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_padded_batch_gives_what_each_window_gives_alone(params: HybridParams) -> None:
    model = network(params).eval()
    lengths = torch.tensor([1, 2, 7, 8, 9, 37, 63, 64])
    x = padded(lengths, 64)
    with torch.no_grad():
        together = model(x, lengths)
        for n, length in enumerate(lengths.tolist()):
            alone = model(x[n : n + 1, :, :, :length], lengths[n : n + 1])
            torch.testing.assert_close(together.logits[n], alone.logits[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(
                together.embedding[n], alone.embedding[0], atol=1e-5, rtol=1e-5
            )
            real = int(together.last_mask[n].sum())
            torch.testing.assert_close(
                together.last_map[n, :, :, :real], alone.last_map[0], atol=1e-5, rtol=1e-5
            )
            for level, mask, own in zip(together.maps, together.masks, alone.maps, strict=True):
                real = int(mask[n].sum())
                torch.testing.assert_close(level[n, :, :, :real], own[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())
def test_maps_masks_and_embedding_have_their_shapes(params: HybridParams) -> None:
    model = network(params)
    lengths = torch.tensor([30, 64, 50])
    for training in (True, False):
        output = model.train(training)(padded(lengths, 64), lengths)
        stride = 2 ** len(params.stem_channels)
        channels, bins, frames = params.stem_channels[-1], 40 // stride, 64 // stride
        assert output.logits.shape == (3, CLASSES)
        assert output.embedding.shape == (3, 2 * params.fused_dim)
        *encoded, decoded = output.maps
        *encoded_masks, decoded_mask = output.masks
        assert len(encoded) == len(encoded_masks) == params.blocks + 1
        for each in (*encoded, output.last_map):
            assert each.shape == (3, channels, bins, frames)
        # The last level is what is pooled: with skips at twice the encoder's frame rate.
        decoded_stride = stride // 2 if params.convolutions and params.skips else stride
        assert decoded.shape == (3, params.fused_dim, 1, 64 // decoded_stride)
        strides = [(mask, stride) for mask in (*encoded_masks, output.last_mask)]
        for mask, step in (*strides, (decoded_mask, decoded_stride)):
            assert mask.dtype == torch.bool
            assert mask.sum(dim=1).tolist() == [-(-n // step) for n in lengths.tolist()]
        assert torch.isfinite(output.logits).all()


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())
def test_gradients_reach_every_parameter(params: HybridParams) -> None:
    model = network(params.model_copy(update={"block_dropout": 0.0})).train()
    lengths = torch.tensor([64, 40, 20, 64])
    nn.functional.cross_entropy(
        model(padded(lengths, 64), lengths).logits, torch.tensor([0, 1, 2, 3])
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A softmax does not feel what is added to all its inputs.
        if name != "pool.score.2.bias":
            assert parameter.grad.abs().max() > 0, name


def test_a_mask_over_time_hides_the_future_of_no_real_token() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(8, 2)
    x = torch.randn(2, 5, 8)
    mask = frame_mask(torch.tensor([3, 5]), 5)
    changed = x.clone()
    changed[0, 3:] = 100.0
    torch.testing.assert_close(attention(x, mask)[0, :3], attention(changed, mask)[0, :3])
    free, used = attention(x), attention(x, mask)
    torch.testing.assert_close(free[1], used[1])
    assert not torch.allclose(free[0, :3], used[0, :3])


def test_attention_equals_pytorchs_own() -> None:
    torch.manual_seed(0)
    ours = SelfAttention(8, 2).double()
    theirs = nn.MultiheadAttention(8, 2, batch_first=True).double()
    theirs.in_proj_weight.data = ours.qkv.weight.data
    assert theirs.in_proj_bias is not None
    theirs.in_proj_bias.data = ours.qkv.bias.data
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(3, 6, 8, dtype=torch.float64)
    mask = frame_mask(torch.tensor([6, 4, 1]), 6)
    expected = theirs(x, x, x, key_padding_mask=~mask, need_weights=False)[0]
    torch.testing.assert_close(ours(x, mask), expected)


def test_uniform_scores_pool_mean_and_deviation_of_real_frames() -> None:
    pool = AttentiveStatistics(3, 2)
    for parameter in pool.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 6, 3)
    pooled = pool(x, frame_mask(torch.tensor([4, 6]), 6))
    for n, length in enumerate((4, 6)):
        real = x[n, :length]
        deviation = (real.var(dim=0, correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(pooled[n], torch.cat([real.mean(dim=0), deviation]))


@given(length=st.integers(1, 300), levels=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_lengths_halve_as_convolutions_do(length: int, levels: int) -> None:
    x = torch.zeros(1, 1, length)
    convolution = nn.Conv1d(1, 1, 3, stride=2, padding=1)
    real = torch.tensor([length])
    for _ in range(levels):
        x, real = convolution(x), halved(real, 2)
        assert x.shape[-1] == int(real)
    assert int(real) == -(-length // 2**levels)
