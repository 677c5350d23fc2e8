"""Networks of Table 3: numbers of parameters, and forward passes against NumPy in float64.

Each reference hears one utterance alone, without padding; the network hears it in a batch with
longer ones and noise behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from serbench.api import Student, StudentShape
from serbench_baselines.cnn_gru import CnnGru
from serbench_baselines.entropy import Entropy
from serbench_baselines.mf_cnn import MfCnn
from serbench_baselines.mha_drn import MhaDrn
from serbench_baselines.pemonet import Pemonet
from serbench_baselines.res_lstm_sa import ResLstmSa
from serbench_baselines.spu_cnn import SpuCnn
from serbench_baselines.wav2small import Wav2Small

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

LENGTHS = (1, 2, 3, 6, 29, 40)


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x: Array, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def linear(x: Array, w: Weights, name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def conv(
    x: Array,
    w: Weights,
    name: str,
    pad: tuple[tuple[int, ...], ...] = (),
    step: int = 1,
    dilation: int = 1,
) -> Array:
    """One- or two-dimensional, of ``(c, *size)``; one filter for each channel where they fit."""
    kernel, bias = w[f"{name}.weight"], w.get(f"{name}.bias")
    sizes = kernel.shape[2:]
    x = np.pad(x, ((0, 0), *(pad or ((0, 0),) * len(sizes))))
    reach = tuple(dilation * (size - 1) + 1 for size in sizes)
    axes = tuple(range(1, len(sizes) + 1))
    views = np.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    steps = (slice(None, None, step),) * len(sizes)
    views = views[(slice(None), *steps, *(slice(None, None, dilation),) * len(sizes))]
    k = "xyz"[: len(sizes)]
    if kernel.shape[1] == 1 and len(x) == len(kernel) > 1:
        out = np.einsum(f"c...{k},c{k}->c...", views, kernel[:, 0])
    else:
        out = np.einsum(f"c...{k},oc{k}->o...", views, kernel)
    return out if bias is None else out + bias.reshape(-1, *[1] * len(sizes))


def norm(x: Array, w: Weights, name: str) -> Array:
    """Batch normalisation in evaluation mode, of ``(c, *size)``."""
    shape = (-1, *[1] * (x.ndim - 1))
    mean, variance, gain, bias = (
        w[f"{name}.{part}"].reshape(shape)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gain + bias


def pooled(x: Array, size: int, edge: int) -> Array:
    """Largest value of each cell of ``size`` × ``size``, two apart, the first ``edge`` outside."""
    rows, columns = (-(-n // 2) for n in x.shape[1:])
    out = np.empty((len(x), rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = 2 * i - edge, 2 * j - edge
            cell = x[:, max(0, top) : top + size, max(0, left) : left + size]
            out[:, i, j] = cell.max(axis=(1, 2))
    return out


def gru(x: Array, w: Weights, name: str) -> Array:
    """States ``(frames, d)`` of ``x (frames, inputs)``."""
    wi, wh = w[f"{name}.weight_ih_l0"], w[f"{name}.weight_hh_l0"]
    bi, bh = w[f"{name}.bias_ih_l0"], w[f"{name}.bias_hh_l0"]
    h, states = np.zeros(wh.shape[1]), []
    for frame in x:
        (ri, zi, ni), (rh, zh, nh) = np.split(wi @ frame + bi, 3), np.split(wh @ h + bh, 3)
        r, z = sigmoid(ri + rh), sigmoid(zi + zh)
        h = (1 - z) * np.tanh(ni + r * nh) + z * h
        states.append(h)
    return np.array(states)


def lstm(x: Array, w: Weights, name: str) -> Array:
    wi, wh = w[f"{name}.weight_ih_l0"], w[f"{name}.weight_hh_l0"]
    bias = w[f"{name}.bias_ih_l0"] + w[f"{name}.bias_hh_l0"]
    h = c = np.zeros(wh.shape[1])
    states = []
    for frame in x:
        i, f, g, o = np.split(wi @ frame + wh @ h + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


SQUARE = ((1, 1), (1, 1))


def cnn_gru(x: Array, w: Weights) -> Array:
    spare = max(0, 3 - x.shape[2])  # frames that the first convolution lacks
    x = relu(conv(np.pad(x, ((0, 0), (0, 0), (0, spare))), w, "first", step=2))

    def block(x: Array, name: str) -> Array:
        y = relu(conv(x, w, f"{name}.widen"))
        return conv(relu(conv(y, w, f"{name}.depthwise", SQUARE)), w, f"{name}.project")

    x = pooled(block(x, "enter"), 3, 1)
    for n in range(5):
        x = x + block(x, f"blocks.{n}")
    frames = x.transpose(2, 0, 1).reshape(x.shape[2], -1)
    states = np.hstack([gru(frames, w, "cell"), gru(frames[::-1], w, "cell")[::-1]])
    weights = softmax(w["sharpness"] * sigmoid(linear(states, w, "score")[:, 0]))
    y = linear(weights @ states, w, "dense")
    return linear(np.where(y > 0, y, w["activation.weight"] * y), w, "classify")


def spu_cnn(x: Array, w: Weights) -> Array:
    frames, found = x.reshape(-1, x.shape[2]), []
    for n, kernel in enumerate((5, 7, 9, 11)):
        y = relu(conv(frames, w, f"scales.{n}", ((kernel // 2, kernel // 2),)))
        found += [y.max(axis=1), y.mean(axis=1), np.sqrt(y.var(axis=1) + 1e-6)]
    return linear(relu(linear(np.concatenate(found), w, "hidden")), w, "classify")


def wav2small(x: Array, w: Weights) -> Array:
    for n in range(3):
        x = relu(norm(conv(x, w, f"before.{n}.conv", SQUARE), w, f"before.{n}.norm"))
    x = pooled(x, 3, 1)
    for n in range(4):
        x = relu(norm(conv(x, w, f"after.{n}.conv", SQUARE), w, f"after.{n}.norm"))
    v = (softmax(conv(x, w, "score"), axis=2) * conv(x, w, "value")).sum(axis=2)
    return linear(np.concatenate([v.ravel(), (v @ v.T).ravel()]), w, "classify")


def res_lstm_sa(x: Array, w: Weights) -> Array:
    frames = x[0].T
    frames = norm((frames + lstm(frames, w, "first")).T, w, "norm").T
    states = lstm(frames, w, "second")
    return linear(norm(softmax(states @ w["attention"]) @ states, w, "last_norm"), w, "classify")


def mha_drn(x: Array, w: Weights) -> Array:
    x = relu(conv(x[0], w, "first", ((4, 5),)))
    for n, (step, kernel, dilation) in enumerate(((2, 5, 1), (2, 5, 1), (1, 3, 2), (1, 3, 4))):
        stage = f"stages.{n}"
        x = relu(conv(x, w, f"{stage}.enter", ((0, (step - 1) * x.shape[1] % 2),), step))
        around = ((dilation * (kernel // 2),) * 2,)
        for block in (f"{stage}.blocks.0", f"{stage}.blocks.1"):
            y = conv(x, w, f"{block}.convs.0", around, dilation=dilation)
            y = conv(
                relu(norm(y, w, f"{block}.norms.0")), w, f"{block}.convs.1", around, 1, dilation
            )
            x = relu(x + norm(y, w, f"{block}.norms.1"))
    tokens = x.T
    query, key, value = np.split(linear(tokens, w, "attention.qkv"), 3, axis=1)
    heads = [slice(128 * h, 128 * (h + 1)) for h in range(4)]
    found = [softmax(query[:, h] @ key[:, h].T / np.sqrt(128.0)) @ value[:, h] for h in heads]
    tokens = tokens + linear(np.hstack(found), w, "attention.out")
    return linear(tokens.mean(axis=0), w, "classify")


def mf_cnn(x: Array, w: Weights) -> Array:
    y = x.mean(axis=2).ravel()[None]
    for n in range(3):
        y = relu(norm(conv(y, w, f"convs.{n}", ((1, 1),)), w, f"norms.{n}"))
        y = np.array([y[:, i : i + 2].max(axis=1) for i in range(0, y.shape[1], 2)]).T
    return linear(y.ravel(), w, "classify")


def pemonet(x: Array, w: Weights) -> Array:
    means = []
    for arm, spectrogram in enumerate(np.split(x, 3, axis=1)):
        y = spectrogram
        for n in range(3):
            name = f"arms.{arm}"
            y = relu(norm(conv(y, w, f"{name}.convs.{n}", SQUARE), w, f"{name}.norms.{n}"))
            y = pooled(y, 2, 0)
        means.append(y.mean(axis=(1, 2)))
    return linear(np.concatenate(means), w, "classify")


def entropy(x: Array, w: Weights) -> Array:
    y = x.mean(axis=2).ravel()
    for n in range(2):
        y = relu(linear(y, w, f"layers.{n}"))
    return linear(y, w, "classify")


CASES: dict[str, tuple[type[Student], StudentShape, int, Callable[..., Array]]] = {
    "cnn-gru": (CnnGru, StudentShape(4, 1, 128), 949_894, cnn_gru),
    "spu-cnn": (SpuCnn, StudentShape(4, 3, 32), 788_228, spu_cnn),
    "wav2small": (Wav2Small, StudentShape(7, 1, 26), 12_162, wav2small),
    "res-lstm-sa": (ResLstmSa, StudentShape(8, 1, 46), 46_772, res_lstm_sa),
    "mha-drn": (MhaDrn, StudentShape(4, 1, 40), 5_604_068, mha_drn),
    "mf-cnn": (MfCnn, StudentShape(7, 1, 90), 145_927, mf_cnn),
    "pemonet": (Pemonet, StudentShape(7, 1, 192), 71_911, pemonet),
    "entropy": (Entropy, StudentShape(7, 1, 80), 54_535, entropy),
}


def network(name: str) -> nn.Module:
    """In evaluation mode, with statistics, gains and slopes that are not those it starts with."""
    cls, shape, _, _ = CASES[name]
    torch.manual_seed(0)
    params: Any = cls.Params()
    made = cls(params).build(shape)
    for key, value in made.state_dict().items():
        if "norm" in key and value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5)
        if key == "sharpness":
            value.fill_(3.0)
    return made.eval()


@pytest.mark.parametrize("name", CASES)
def test_it_has_the_published_number_of_parameters(name: str) -> None:
    assert sum(p.numel() for p in network(name).parameters()) == CASES[name][2]


@pytest.mark.parametrize("name", CASES)
def test_its_forward_pass_in_a_padded_batch_is_that_of_numpy_alone(name: str) -> None:
    _, shape, _, reference = CASES[name]
    model = network(name)
    torch.manual_seed(1)
    features = torch.randn(len(LENGTHS), shape.channels, shape.n_mels, max(LENGTHS)) + 0.5
    with torch.no_grad():
        logits = model(features, torch.tensor(LENGTHS)).logits.numpy()
    weights = {key: value.double().numpy() for key, value in model.state_dict().items()}
    expected = [
        reference(x[:, :, :length].double().numpy(), weights)
        for x, length in zip(features, LENGTHS, strict=True)
    ]
    np.testing.assert_allclose(logits, np.array(expected), rtol=2e-4, atol=2e-5)
    assert np.ptp(np.array(expected), axis=0).min() > 1e-3  # it hears what is said


@pytest.mark.parametrize("name", ["wav2small", "res-lstm-sa", "mha-drn", "pemonet"])
def test_statistics_of_batch_normalisation_are_of_real_frames(name: str) -> None:
    """In training, too, what lies behind an utterance changes nothing."""
    shape = CASES[name][1]
    features = torch.randn(3, shape.channels, shape.n_mels, 60)
    lengths = torch.tensor([17, 40, 33])
    found = []
    for frames, fill in ((40, 0.0), (60, 50.0)):
        model = network(name).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        heard = features[..., :frames].clone()
        for window, length in zip(heard, lengths.tolist(), strict=True):
            window[..., length:] = fill
        logits = model(heard, lengths).logits
        found.append((logits, {k: v for k, v in model.state_dict().items() if "running" in k}))
    torch.testing.assert_close(*(logits for logits, _ in found), rtol=1e-4, atol=1e-5)
    for key, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][key], msg=key)
        assert not torch.equal(value, network(name).state_dict()[key]), key


def test_windows_of_like_length_together_give_what_all_give_together() -> None:
    """In training, where there is neither dropout nor batch normalisation."""
    model = network("cnn-gru")
    features, lengths = torch.randn(20, 1, 128, 50), torch.randint(1, 51, (20,))
    expected = model(features, lengths).logits
    torch.testing.assert_close(model.train()(features, lengths).logits, expected)


def test_res_lstm_sa_starts_with_open_forget_gates_and_orthogonal_states() -> None:
    network = ResLstmSa(ResLstmSa.Params()).build(StudentShape(4, 1, 46))
    values = network.state_dict()
    recurrent = values["second.weight_hh_l0"]
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(64), atol=1e-5, rtol=0.0)
    forget = torch.zeros(4 * 64)
    forget[64:128] = 1.0
    assert torch.equal(values["second.bias_ih_l0"], forget)
