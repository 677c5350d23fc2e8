"""The contract of students."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Estimator, FrontEnd, Hears, SerbenchError, StudentOutput, StudentShape
from serbench.learning.front_ends import frames_of, shape_of
from serbench.learning.segments import hears_whole
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.testing.checks import Check, together
from serbench.testing.common import instance_of, make, require, require_finite, require_shape
from serbench.testing.estimator import estimator_checks

__tracebackhide__ = True

Build = Callable[..., nn.Module]
Heard = Callable[[], FrontEnd]

FRAMES = (30, 157, 400)
CLASSES = (2, 4, 8)
TOLERANCE = 1e-5


def student_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of students.

    Its front end must exist and accept its parameters. Output shapes and masks are checked for
    windows of 30 to 400 frames (or for one row, if its front end gives one row per utterance) and 2
    to 8 classes. The same seed must give the same weights. With any content of the padding, a
    padded window must give the logits of the same window alone (to 1e-5). Gradients of the logits
    must reach every parameter. The weights can be stored and loaded. For an estimator, these are
    ``estimator_checks``.

    Examples:
        >>> from serbench_baselines.transformer import Transformer
        >>> [str(check) for check in student_checks(Transformer)][-4:]
        ['seed', 'padding', 'gradients', 'stored weights']

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values.
    """
    if issubclass(cls, Estimator):
        yield from estimator_checks(cls, params)
        return
    student = cache(partial(make, cls, params))

    @cache
    def heard() -> FrontEnd:
        asked = instance_of(student().hears, Hears, f"{cls.__name__}.hears")
        try:
            return front_end_of(asked)
        except SerbenchError as error:
            raise AssertionError(
                f"{cls.__name__}.hears asks for a front end or parameter that does not exist: "
                f"{error}"
            ) from error

    def build(num_classes: int = CLASSES[1]) -> nn.Module:
        built = student().build(shape_of(heard(), num_classes))
        return instance_of(built, nn.Module, f"the result of {cls.__name__}.build")

    yield Check("class and parameters", student)
    yield Check("hears", heard)
    for num_classes, frames in zip(CLASSES, FRAMES, strict=True):
        name = f"output of {frames} frames and {num_classes} classes"
        yield Check(name, partial(_check_output, build, heard, num_classes, frames))
    yield Check("seed", partial(_check_seed, build))
    yield Check("padding", partial(_check_padding, build, heard))
    yield Check("gradients", partial(_check_gradients, build, heard))
    yield Check("stored weights", partial(_check_weights, build, heard))


check_student = together(student_checks)
"""Run all ``student_checks`` and report every failure together in one ``AssertionError``."""


@cache
def _registry() -> Registry:
    return load_registry(load_plugins(), strict=False)


def front_end_of(hears: Hears) -> FrontEnd:
    """The front end that a student asks for, among the installed ones.

    Raises:
        RegistryError: no such front end, or it does not accept these parameters.
    """
    return _registry().make("front_ends", hears.front_end, hears.params)


def windows(
    shape: StudentShape, count: int, frames: int, seed: int = 0, *, whole: bool = False
) -> tuple[Tensor, Tensor]:
    """Random features ``(count, channels, d, frames)``, with lengths of a third of ``frames`` or
    more.

    ``whole``: every window consists of real frames only.
    """
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, shape.channels, shape.n_mels, frames, generator=generator)
    first = frames if whole else max(1, frames // 3)
    return features, torch.linspace(first, frames, count).round().long()


def _heard_windows(heard: Heard, count: int, frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Windows as the student's front end gives them."""
    front_end = heard()
    whole = hears_whole(front_end.framing)
    size = frames_of(front_end, 0.0) if whole else frames
    return windows(shape_of(front_end, CLASSES[0]), count, size, seed, whole=whole)


def _check_output(build: Build, heard: Heard, num_classes: int, frames: int) -> None:
    model = build(num_classes)
    ragged = not hears_whole(heard().framing)
    features, lengths = _heard_windows(heard, 3, frames)
    for training in (True, False):
        output = _output(model.train(training), features, lengths)
        require_shape(output.logits, (3, num_classes), "logits")
        require_finite(output.logits, f"logits of {frames} frames")
        require(
            output.embedding.ndim == 2 and output.embedding.shape[0] == 3,
            f"embedding must be (N, E), not {tuple(output.embedding.shape)}",
        )
        require(
            len(output.maps) == len(output.masks),
            f"each map needs one mask, but there are {len(output.masks)} masks for "
            f"{len(output.maps)} maps",
        )
        for level, (feature_map, mask) in enumerate(zip(output.maps, output.masks, strict=True)):
            _check_map(feature_map, mask, f"maps[{level}]", ragged=ragged)
        if len(output.last_map) or len(output.last_mask):
            _check_map(output.last_map, output.last_mask, "last_map", ragged=ragged)


def _output(model: nn.Module, features: Tensor, lengths: Tensor) -> StudentOutput:
    return instance_of(model(features, lengths), StudentOutput, "what forward returns")


def _check_map(feature_map: Tensor, mask: Tensor, what: str, *, ragged: bool) -> None:
    require(
        feature_map.ndim == 4 and feature_map.shape[0] == 3,
        f"{what} must be (N, channels, frequency bins, frames), not {tuple(feature_map.shape)}",
    )
    require_finite(feature_map, what)
    require_shape(mask, (3, feature_map.shape[3]), f"the mask of {what}")
    require(mask.dtype == torch.bool, f"the mask of {what} must be bool, not {mask.dtype}")
    require(bool(mask.any(dim=1).all()), f"the mask of {what} leaves a window without real frames")
    real = mask.sum(dim=1)
    require(
        bool((real[1:] >= real[:-1]).all()) and bool(mask[-1].all()),
        f"the mask of {what} must be True on all real frames and grow with the window's length",
    )
    require(
        not ragged or mask.shape[1] < 4 or not bool(mask[0].all()),
        f"the mask of {what} is True on padding: a third of the frames are real in window 0",
    )


def _check_seed(build: Build) -> None:
    weights = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        weights.append(build().state_dict())
    same, again, other = weights
    for key, weight in same.items():
        require(
            torch.equal(weight, again[key]),
            f"the initial weights {key} differ under the same seed: draw them with torch's own "
            "generator",
        )
    require(
        any(not torch.equal(weight, other[key]) for key, weight in same.items()),
        "the initial weights do not depend on the seed",
    )


def _check_padding(build: Build, heard: Heard) -> None:
    model = build().eval()
    features, lengths = _heard_windows(heard, 4, 200, seed=1)
    features += 0.5  # not centred, so that zero padding would show too
    with torch.no_grad():
        alone = torch.cat(
            [
                _output(model, features[i : i + 1, :, :, : int(n)], n.reshape(1)).logits
                for i, n in enumerate(lengths)
            ]
        )
        for fill in (0.0, 100.0):
            padded = features.clone()
            for i, n in enumerate(lengths):
                padded[i, :, :, int(n) :] = fill
            together = _output(model, padded, lengths).logits
            worst = float((together - alone).abs().max())
            require(
                worst <= TOLERANCE * max(1.0, float(alone.abs().max())),
                f"padding of {fill:g} changes the logits by {worst:.1e}: mask it in every "
                "convolution, attention, normalisation and pooling",
            )


def _check_gradients(build: Build, heard: Heard) -> None:
    model = build().train()
    features, lengths = _heard_windows(heard, 4, 120, seed=2)
    logits = _output(model, features, lengths).logits
    F.cross_entropy(logits, torch.arange(4) % logits.shape[1]).backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        require(parameter.grad is not None, f"no gradient of the logits reaches {name}")
        assert parameter.grad is not None
        require_finite(parameter.grad, f"the gradient of {name}")


def _check_weights(build: Build, heard: Heard) -> None:
    """Stored weights must restore the student completely."""
    model, fresh = build().eval(), build().eval()
    features, lengths = _heard_windows(heard, 2, 90, seed=3)
    fresh.load_state_dict(model.state_dict())
    with torch.no_grad():
        before = _output(model, features, lengths).logits
        after = _output(fresh, features, lengths).logits
    require(
        torch.equal(before, after),
        "a new student with the same state_dict gives other logits: something that matters is "
        "neither a parameter nor a buffer, or evaluation is random",
    )
