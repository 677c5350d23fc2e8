from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tests_support.encoders import KINDS
from torch import Tensor, nn

from serbench.api import Hears, PluginError, StudentShape, TeacherError
from serbench.testing import check_student
from serbench_inherited.checkpoint import sizes_of
from serbench_inherited.inherited import Inherited, InheritedParams
from serbench_inherited.network import InheritedNetwork, RelativeBias
from serbench_inherited.waveform import WaveformSizes, over_time
from serbench_teachers.loading import load_model
from serbench_teachers.weights import find_checkpoint

Make = Callable[[str], Path]
RANKS = {"query": 4, "value": (4, 6), "units": (16, 12)}
WAVEFORM = [kind for kind in KINDS if not kind.startswith("whisper")]
every_kind = pytest.mark.parametrize("kind", WAVEFORM)


def student(folder: Path, **params: object) -> Inherited:
    return Inherited(InheritedParams.model_validate({"model": str(folder), **params}))


def inherited(made: Inherited, speech: list[tuple[Tensor, Tensor]]) -> InheritedNetwork:
    network = made.build(StudentShape(3, channels=1, n_mels=320)).eval()
    made.inherit(network, speech)
    return cast("InheritedNetwork", network)


def windows(count: int, frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Windows ``(count, 1, 320, frames)`` of samples whose mean is not 0."""
    generator = torch.Generator().manual_seed(seed)
    samples = 0.1 * torch.randn(count, frames * 320, generator=generator) + 0.05
    return samples.view(count, frames, 320).transpose(1, 2)[:, None], torch.full((count,), frames)


def heard(count: int = 24) -> list[tuple[Tensor, Tensor]]:
    return [windows(count // 4, 40, seed=n + 1) for n in range(4)]


def due(folder: Path, features: Tensor, layers: int) -> list[Tensor]:
    """Each layer's output by transformers, of one window after another."""
    model, extractor = cast("Any", load_model(find_checkpoint(str(folder))))
    kept: list[list[Tensor]] = [[] for _ in range(layers)]
    for number, layer in enumerate(model.eval().encoder.layers[:layers]):
        layer.register_forward_hook(
            lambda _m, _i, out, n=number: kept[n].append(out[0] if isinstance(out, tuple) else out)
        )
    for waveform in features[:, 0].transpose(1, 2).flatten(1):
        values = extractor(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            model(values["input_values"])
    return [torch.cat(each) for each in kept]


@every_kind
def test_full_ranks_give_the_encoders_frames(checkpoint: Make, kind: str) -> None:
    folder, (features, lengths) = checkpoint(kind), windows(2, 33)
    network = inherited(student(folder, layers=3), [])  # no speech is read
    with torch.no_grad():
        output = network(features, lengths)
    for found, wanted in zip(output.maps, due(folder, features, 3), strict=True):
        frames = found[:, :, 0].transpose(1, 2)[output.last_mask].view_as(wanted)
        torch.testing.assert_close(frames, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["wavlm-layer", "wavlm-post", "hubert-layer", "wav2vec2-group"])
def test_full_ranks_hold_with_weights_of_every_kind(
    checkpoint: Make, tmp_path: Path, kind: str
) -> None:
    """Fresh norms have gains of 1 and biases of 0, which prove nothing of the folding."""
    folder = checkpoint("wavlm-layer" if kind == "wavlm-post" else kind)
    model = cast("Any", load_model(find_checkpoint(str(folder)))[0])
    if kind == "wavlm-post":
        model = type(model)(
            type(model.config)(**{**model.config.to_dict(), "do_stable_layer_norm": False})
        )
    torch.manual_seed(4)
    for name, weight in model.named_parameters():
        if name.endswith("bias") or "norm" in name or "rel" in name:
            nn.init.normal_(weight, mean=0.5, std=0.5)
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes(
        (folder / "preprocessor_config.json").read_bytes()
    )
    features, lengths = windows(2, 33)
    with torch.no_grad():
        found = inherited(student(tmp_path), [])(features, lengths)
    wanted = due(tmp_path, features, 2)[-1]
    frames = found.last_map[:, :, 0].transpose(1, 2)[found.last_mask].view_as(wanted)
    torch.testing.assert_close(frames, wanted, atol=1e-4, rtol=1e-4)


@every_kind
def test_a_padded_window_is_the_window_alone(checkpoint: Make, kind: str) -> None:
    network = inherited(student(checkpoint(kind), **RANKS), heard())
    network.embed.running_var.fill_(0.05)
    features, _ = windows(4, 50)
    lengths = torch.tensor([1, 17, 30, 50])
    for n, length in enumerate(lengths.tolist()):
        features[n, ..., length:] = 100.0  # whatever the padding holds
    with torch.no_grad():
        together = network(features, lengths)
        for n, length in enumerate(lengths.tolist()):
            alone = network(features[n : n + 1, ..., :length], lengths[n : n + 1])
            torch.testing.assert_close(together.logits[n], alone.logits[0], atol=1e-5, rtol=1e-5)
            assert together.last_mask[n].sum() == alone.last_mask.sum()
        assert torch.isfinite(network(features, torch.zeros(4, dtype=torch.long)).logits).all()


@every_kind
def test_little_is_lost_where_little_is_left_out(checkpoint: Make, kind: str) -> None:
    folder, (features, lengths) = checkpoint(kind), windows(4, 40, seed=99)
    wanted = due(folder, features, 2)[-1]
    spread = (wanted - wanted.mean(dim=(0, 1))).square().mean()

    def error(**ranks: object) -> float:
        network = inherited(student(folder, **ranks), heard(120))
        with torch.no_grad():
            output = network(features, lengths)
        frames = output.last_map[:, :, 0].transpose(1, 2)[output.last_mask].view_as(wanted)
        return float((frames - wanted).square().mean() / spread)

    assert error(query=7, value=7, units=23) < 0.01
    assert error(query=7, value=7, units=23) < error(query=2, value=2, units=6) < 0.7


@every_kind
def test_the_contract(checkpoint: Make, kind: str) -> None:
    check_student(Inherited, {"model": str(checkpoint(kind)), **RANKS})


def test_a_norm_over_time_is_a_group_norm_of_single_channels() -> None:
    torch.manual_seed(0)
    x, own, group = torch.randn(3, 5, 40) + 2.0, nn.LayerNorm(5), nn.GroupNorm(5, 5)
    for norm in (own, group):
        nn.init.constant_(norm.weight, 1.5)
        nn.init.constant_(norm.bias, 0.2)
    found = over_time(x, torch.tensor([40, 40, 11]), own)
    torch.testing.assert_close(found[:2], group(x[:2]))
    torch.testing.assert_close(found[2:, :, :11], group(x[2:, :, :11]))


def test_relative_positions_are_wavlms(checkpoint: Make) -> None:
    """At distances that no window has, too."""
    model = cast("Any", load_model(find_checkpoint(str(checkpoint("wavlm-layer"))))[0])
    attention = model.encoder.layers[0].attention
    bias = RelativeBias(attention.num_buckets, attention.max_distance, attention.num_heads)
    bias.embed.load_state_dict(attention.rel_attn_embed.state_dict())
    torch.testing.assert_close(bias(1000), attention.compute_bias(1000, 1000), atol=0, rtol=0)


def test_the_published_convolutions_give_a_frame_less_but_never_none(checkpoint: Make) -> None:
    """400 samples a token, every 320: fifty frames of samples are 49 tokens, one is one."""
    sizes = cast("WaveformSizes", sizes_of(str(checkpoint("wav2vec2-group"))))
    published = replace(
        sizes, channels=(4,) * 7, kernels=(10, 3, 3, 3, 3, 2, 2), strides=(5, 2, 2, 2, 2, 2, 2)
    )
    front = published.build(published.full(1)).front
    for frames, tokens in ((50, 49), (2, 1), (1, 1)):
        x, lengths = front(*windows(2, frames))
        assert x.shape[:2] == (2, tokens)
        assert lengths.tolist() == [tokens, tokens]
        assert torch.isfinite(x).all()


def test_samples_are_normalised_as_the_preprocessor_says(checkpoint: Make, tmp_path: Path) -> None:
    folder = checkpoint("hubert-layer")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    plain = json.loads((folder / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**plain, "do_normalize": False}))
    features, lengths = windows(2, 33)
    wanted = due(tmp_path, features, 2)[-1]
    with torch.no_grad():
        output = inherited(student(tmp_path), [])(features, lengths)
        louder = inherited(student(folder), [])(3.0 * features, lengths)
        as_loud = inherited(student(folder), [])(features, lengths)
    frames = output.last_map[:, :, 0].transpose(1, 2)[output.last_mask].view_as(wanted)
    torch.testing.assert_close(frames, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(louder.embedding, as_loud.embedding, atol=1e-4, rtol=1e-4)


def test_what_it_hears(checkpoint: Make) -> None:
    made = student(checkpoint("wavlm-layer"))
    assert made.hears == Hears("waveform", {"hop_s": 0.02})
    with pytest.raises(PluginError, match="one channel of 320 bins"):
        made.build(StudentShape(3, 1, 80))
    with pytest.raises(PluginError, match="cannot be pruned"):
        student(checkpoint("wavlm-layer"), channels=4).build(StudentShape(3, 1, 320))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden_act": "relu"}, "other activations than gelu"),
        ({"conv_pos_batch_norm": True}, "a batch norm of positions"),
    ],
)
def test_variants_that_cannot_be_inherited(
    checkpoint: Make, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    folder = checkpoint("hubert-layer")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **changed}))
    with pytest.raises(TeacherError, match=message):
        student(tmp_path).build(StudentShape(3, 1, 320))
