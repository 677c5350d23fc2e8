from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests_support.encoders import save
from torch import nn

from serbench.api import PluginError, StudentShape
from serbench_baselines.frozen import (
    Frozen,
    FrozenAttentive,
    FrozenLinear,
    FrozenMean,
    FrozenParams,
)
from serbench_baselines.networks.frozen import AttentiveHead, LinearHead, MeanHead
from serbench_baselines.networks.ssl_att import CorrelationHead
from serbench_baselines.ssl_att import SslAtt, SslAttParams

Array = NDArray[np.float64]
LAYERS, WIDTH, FRAMES = 3, 6, 11
LENGTHS = (11, 4, 1)


def heads() -> dict[str, nn.Module]:
    torch.manual_seed(2)
    made: dict[str, nn.Module] = {
        "linear": LinearHead(LAYERS * WIDTH, 5, 4),
        "mean": MeanHead(LAYERS, WIDTH, 5, 4),
        "attentive": AttentiveHead(LAYERS, WIDTH, 5, 4),
        "correlation": CorrelationHead(LAYERS, WIDTH, SslAttParams(width=5, heads=2), 4),
    }
    for head in made.values():
        for name, parameter in head.named_parameters():
            if name == "mix.weights":  # equal at first, which would hide how they are normalised
                parameter.data.normal_()
        head.eval()
    return made


def frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(LENGTHS), 1, LAYERS * WIDTH, FRAMES, generator=generator) + 0.5


def softmax(x: Array) -> Array:
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()


class Weights:
    """A head's parameters in double precision."""

    def __init__(self, head: nn.Module) -> None:
        self.by_name = {k: v.double().numpy() for k, v in head.state_dict().items()}

    def linear(self, part: str, x: Array) -> Array:
        return x @ self.by_name[f"{part}.weight"].T + self.by_name[f"{part}.bias"]

    def mixed(self, x: Array) -> Array:
        """``(frames, L·D)`` to ``(frames, D)``."""
        weights = softmax(self.by_name["mix.weights"])
        return sum(w * x[:, i * WIDTH : (i + 1) * WIDTH] for i, w in enumerate(weights))  # pyright: ignore[reportReturnType]


def linear(w: Weights, x: Array) -> Array:
    return w.linear("classify", np.maximum(w.linear("project", x), 0.0).mean(axis=0))


def mean(w: Weights, x: Array) -> Array:
    return w.linear("classify", w.linear("project", w.mixed(x)).mean(axis=0))


def attentive(w: Weights, x: Array) -> Array:
    y = w.linear("project", w.mixed(x))
    scores = w.linear("attend.2", np.maximum(w.linear("attend.0", y), 0.0))[:, 0]
    return w.linear("classify", softmax(scores) @ y)


def correlation(w: Weights, x: Array) -> Array:
    y = w.linear("project", w.mixed(x))
    by_head = w.linear("heads", np.maximum(w.linear("attend.0", y), 0.0))
    weights = softmax(np.log(np.exp(by_head).sum(axis=1)))
    if len(y) == 1:  # one frame does not vary
        found = np.zeros((y.shape[1], y.shape[1]))
    else:
        covariance = np.cov(y.T, aweights=weights, ddof=0)
        deviation = np.sqrt(np.diag(covariance))
        found = covariance / np.outer(deviation, deviation)
    pairs = [found[i, j] for i in range(len(found)) for j in range(i + 1, len(found))]
    return w.linear("classify", np.array(pairs))


REFERENCES: dict[str, Callable[[Weights, Array], Array]] = {
    "linear": linear, "mean": mean, "attentive": attentive, "correlation": correlation,
}  # fmt: skip


@pytest.mark.parametrize("kind", REFERENCES)
def test_a_head_computes_what_its_description_says(kind: str) -> None:
    head, x = heads()[kind], frames()
    with torch.no_grad():
        found = head(x, torch.tensor(LENGTHS)).logits.numpy()
    for row, length in enumerate(LENGTHS):
        own = x[row, 0, :, :length].T.double().numpy()
        expected = REFERENCES[kind](Weights(head), own)
        np.testing.assert_allclose(found[row], expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("fill", [0.0, 1e4, float("nan")])
def test_what_padding_holds_does_not_count(kind: str, fill: float) -> None:
    head, x, lengths = heads()[kind], frames(), torch.tensor(LENGTHS)
    for row, length in enumerate(LENGTHS):
        x[row, :, :, length:] = fill
    with torch.no_grad():
        together = head(x, lengths).logits
        for row, length in enumerate(LENGTHS):
            alone = head(x[row : row + 1, :, :, :length], lengths[row : row + 1]).logits
            torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", REFERENCES)
def test_windows_of_like_length_are_trained_together_with_the_same_result(kind: str) -> None:
    head = heads()[kind]
    if isinstance(head, CorrelationHead):
        head.dropout.p = 0.0
    x = frames().repeat(4, 1, 1, 1)
    lengths = torch.tensor([3, 11, 1, 7, 2, 10, 4, 9, 8, 5, 6, 11])  # more than go together
    with torch.no_grad():
        alone = head.eval()(x, lengths).logits
        torch.testing.assert_close(head.train()(x, lengths).logits, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", REFERENCES)
def test_every_parameter_of_a_head_learns(kind: str) -> None:
    head = heads()[kind].train()
    logits = head(frames(), torch.tensor(LENGTHS)).logits
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_heads_have_the_published_number_of_parameters() -> None:
    assert count(LinearHead(768, 256, 7)) == 198_663
    assert count(CorrelationHead(25, 1024, SslAttParams(), 4)) == 459_809
    assert count(MeanHead(13, 768, 256, 7)) == 13 + 769 * 256 + 257 * 7
    assert count(AttentiveHead(13, 768, 256, 7)) == 13 + 769 * 256 + 257 * 256 + 257 + 257 * 7


def test_whole_channels_are_dropped_in_training_and_correlate_with_nothing() -> None:
    head = CorrelationHead(LAYERS, WIDTH, SslAttParams(width=40, dropout=0.5), 4).train()
    torch.manual_seed(0)
    embedding = head(frames(), torch.tensor([11, 11, 11])).embedding
    silent = (embedding == 0.0).float().mean(dim=1)  # share of pairs with a dropped channel
    assert bool((silent > 0.4).all())
    assert bool((silent < 1.0).all())
    head.eval()
    assert not bool((head(frames(), torch.tensor([11, 11, 11])).embedding == 0.0).any())


def whisper(folder: Path) -> str:
    return str(save("whisper-encoder", folder))


@pytest.mark.parametrize("cls", [FrozenMean, FrozenAttentive, SslAtt])
def test_the_number_of_layers_follows_from_the_encoder(cls: type[Frozen], tmp_path: Path) -> None:
    student = cls(cls.Params(model=whisper(tmp_path)))  # 16 wide, 4 layers
    head = student.build(StudentShape(num_classes=4, channels=1, n_mels=5 * 16))
    assert len(head.get_parameter("mix.weights")) == 5
    assert student.hears.front_end == "encoder-frames"
    assert dict(student.hears.params) == {
        "model": student.params.model, "layers": "all", "normalise": "none",
    }  # fmt: skip
    with pytest.raises(PluginError, match=r"of 16 values .* 1 × 24; keep the default front_end"):
        student.build(StudentShape(num_classes=4, channels=1, n_mels=24))


def test_the_linear_head_reads_the_last_layer_alone(tmp_path: Path) -> None:
    student = FrozenLinear(FrozenParams(model=whisper(tmp_path), trained_on=("TESS",)))
    assert dict(student.hears.params) == {
        "model": student.params.model, "layers": "last", "normalise": "none",
        "trained_on": ("TESS",),
    }  # fmt: skip
    assert student.build(StudentShape(4, 1, 16)).get_parameter("project.weight").shape == (256, 16)
    with pytest.raises(PluginError, match="needs one layer, but a frame has 5"):
        student.build(StudentShape(4, 1, 80))
