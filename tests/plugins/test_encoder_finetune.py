from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tests_support.encoders import save
from torch import Tensor, nn

from serbench.api import PluginError, StudentShape, TeacherError
from serbench.testing import student_checks
from serbench_baselines.encoder_finetune import EncoderFinetune, EncoderFinetuneParams
from serbench_baselines.networks.encoder_finetune import FinetunedNetwork
from serbench_baselines.networks.finetune_encoders import spans
from serbench_teachers.loading import load_model
from serbench_teachers.weights import find_checkpoint

WAVEFORM = ("wav2vec2-group", "wav2vec2-layer", "hubert-layer", "wavlm-layer")
KINDS = (*WAVEFORM, "whisper")
Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return of


def student(folder: Path, **params: object) -> EncoderFinetune:
    return EncoderFinetune(EncoderFinetuneParams.model_validate({"model": str(folder), **params}))


def width(kind: str) -> int:
    return 80 if kind == "whisper" else 320


def network(kind: str, folder: Path, **params: object) -> FinetunedNetwork:
    """With the folder's weights."""
    made = student(folder, **params)
    torch.manual_seed(4)
    built = cast("FinetunedNetwork", made.build(StudentShape(4, 1, width(kind))))
    made.inherit(built, [])
    return built.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_keeps_the_contract_of_students(kind: str, folder: Folder) -> None:
    # No mask in training: the checks ask for a gradient of every weight and for equal draws.
    unmasked = {"model": str(folder(kind)), "time_mask": 0.0, "feature_mask": 0.0}
    for check in student_checks(EncoderFinetune, unmasked):
        check()


@pytest.mark.parametrize("kind", WAVEFORM)
def test_a_whole_utterance_gives_the_states_of_transformers_own_forward(
    kind: str, folder: Folder
) -> None:
    own = network(kind, folder(kind))
    x = torch.randn(1, 1, 320, 60, generator=torch.Generator().manual_seed(1)) * 0.1 + 0.05
    theirs, extractor = load_model(find_checkpoint(str(folder(kind))))
    wave = x[0, 0].T.flatten().numpy()
    heard: Any = extractor([wave], sampling_rate=16000, padding="longest", return_tensors="pt")
    with torch.no_grad():
        states = theirs.eval()(heard["input_values"]).last_hidden_state
        found = own(x, torch.tensor([60]))
    expected = np.maximum(states[0].double().numpy(), 0.0).mean(axis=0)
    np.testing.assert_allclose(found.embedding[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_thirty_seconds_give_the_states_of_whispers_own_forward(folder: Folder) -> None:
    own = network("whisper", folder("whisper"))
    theirs, _ = load_model(find_checkpoint(str(folder("whisper"))))
    x = torch.rand(1, 1, 80, 3000, generator=torch.Generator().manual_seed(1))  # within the range
    with torch.no_grad():
        states = theirs.eval()(x[:, 0]).last_hidden_state
        found = own(x, torch.tensor([3000]))
    expected = np.maximum(states[0].double().numpy(), 0.0).mean(axis=0)
    np.testing.assert_allclose(found.embedding[0].numpy(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(PluginError, match=r"at most 30 s at once; set segments\.window_s"):
        own(torch.zeros(1, 1, 80, 3100), torch.tensor([3100]))


@pytest.mark.parametrize(("kind", "frozen", "trained"), [
    ("wav2vec2-group", ("feature_extractor", "feature_projection"), "encoder.pos_conv_embed"),
    ("whisper", ("conv1", "conv2"), "layers.0"),
])  # fmt: skip
def test_convolutions_are_trained_only_where_asked(
    kind: str, frozen: tuple[str, ...], trained: str, folder: Folder
) -> None:
    def learning(**params: object) -> set[str]:
        model = cast("nn.Module", network(kind, folder(kind), **params).encoder.model)
        return {name for name, p in model.named_parameters() if p.requires_grad}

    left, whole = learning(), learning(freeze_convolutions=False)
    assert not any(name.startswith(frozen) for name in left)
    assert any(name.startswith(trained) for name in left)
    assert whole - left
    assert all(name.startswith(frozen) for name in whole - left)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_drawn_in_training_alone(kind: str, folder: Folder) -> None:
    many = {"time_mask": 0.5, "time_mask_frames": 4, "feature_mask": 0.5, "feature_mask_width": 4}
    made = network(kind, folder(kind), **many)
    x = torch.randn(2, 1, width(kind), 100)
    lengths = torch.tensor([100, 70])

    def logits() -> Tensor:
        with torch.no_grad():
            return made(x, lengths).logits

    assert torch.equal(logits(), logits())
    for module in made.modules():  # so that nothing but the masks is left to draw
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    made.encoder.train(mode=False)
    made.encoder.training = True
    assert not torch.allclose(logits(), logits(), atol=1e-4)


def test_spans_cover_what_was_asked_for_and_stay_within_the_lengths() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([200, 60, 10])
    drawn = torch.stack([spans(lengths, 200, 0.3, 15) for _ in range(400)])  # (400, 3, 200)
    for row, length in enumerate([200, 60]):
        assert not bool(drawn[:, row, length:].any())
        places = length - 15 + 1
        # The chance that a frame in the middle is in none of k spans, k random around its mean.
        mean = 0.3 * length / 15
        low, share = math.floor(mean), mean - math.floor(mean)
        free = (1 - 15 / places) ** low * (1 - share * 15 / places)
        middle = drawn[:, row, length // 2].float().mean()
        assert middle.item() == pytest.approx(1 - free, abs=0.08)
    assert not bool(drawn[:, 2].any())  # no span of 15 fits into 10


def test_the_first_layers_alone_are_kept(folder: Folder) -> None:
    made = network("whisper", folder("whisper"), layers=2)
    assert len(made.encoder.model.layers) == 2
    with pytest.raises(TeacherError, match=r"has 4 layers, but student\.layers is 9"):
        _ = student(folder("whisper"), layers=9).hears


def test_what_cannot_be_trained_is_told(folder: Folder) -> None:
    with pytest.raises(TeacherError, match="is a data2vec-audio, but encoder-finetune trains"):
        _ = student(folder("data2vec")).hears
    with pytest.raises(PluginError, match=r"one channel of 320 values, .* gives 3 of 40"):
        student(folder("wav2vec2-group")).build(StudentShape(4))


def test_it_hears_samples_or_whispers_log_mel(folder: Folder) -> None:
    heard = student(folder("wav2vec2-group")).hears
    assert (heard.front_end, dict(heard.params)) == ("waveform", {"hop_s": 0.02})
    heard = student(folder("whisper")).hears
    assert (heard.front_end, dict(heard.params)) == ("whisper", {"n_mels": 80})


def test_its_card_and_digest_are_the_encoders(folder: Folder) -> None:
    made = student(folder("whisper"), trained_on=("TESS",))
    assert made.card.pretrained_on == ("TESS",)
    assert made.model_digest == find_checkpoint(str(folder("whisper"))).digest
