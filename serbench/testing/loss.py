"""The contract of losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor, nn

from serbench.api import Batch, Loss, LossShape, Need, PluginError, StudentOutput
from serbench.testing.checks import Check, together
from serbench.testing.common import instance_of, make, require, require_finite, require_shape

__tracebackhide__ = True

NEEDS: frozenset[Need] = frozenset({"soft_targets", "pooled", "frames"})
MAP_DIMS = ((8, 20), (16, 10))
POOLED_DIMS = (12, 20, 16)
FRAME_DIMS = (6, 10, 8)
EMBEDDING_DIM = 24


def loss_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of losses.

    Each check uses no to three teachers, as ``needs`` allows, and only the declared inputs. Every
    term must be a finite scalar. The gradient of ``"total"`` must reach the student's logits. The
    same input must give the same value. One-hot or very confident teachers and students must not
    give infinity. With a student that gives logits and embedding only, the loss works too, or
    ``build`` raises a ``PluginError``. If ``unlabelled`` is above 0, windows without a label must
    give a gradient. ``readings``, if any, must have one row per window and be detached. For a loss
    that uses neither labels nor soft targets, such as an objective of pretraining, the gradient may
    reach the student's embedding or maps instead.

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values.
    """
    loss = cache(partial(make, cls, params))

    def given(teachers: int, check: Callable[..., None], *case: int) -> Callable[[], None]:
        """A check with this many teachers; a loss that needs some is not checked without."""
        return lambda: check(loss(), teachers, *case) if teachers or not loss().needs else None

    yield Check("class and parameters", loss)
    yield Check("needs", lambda: _check_needs(loss()))
    for teachers in range(4):
        told = f"with {teachers} teacher{'s' * (teachers != 1)}"
        for num_classes, count in ((4, 6), (2, 2)):
            case = f"terms {told}, {num_classes} classes and {count} windows"
            yield Check(case, given(teachers, _check_terms, num_classes, count))
        yield Check(f"extreme logits {told}", given(teachers, _check_extremes))
        yield Check(f"no maps {told}", given(teachers, _check_without_maps))
        if teachers:
            yield Check(f"windows without a label {told}", given(teachers, _check_unlabelled))


check_loss = together(loss_checks)
"""Run all ``loss_checks`` and report every failure together in one ``AssertionError``."""


def _check_needs(loss: Loss) -> None:
    unknown = sorted(set(loss.needs) - NEEDS)
    require(not unknown, f"needs may contain {sorted(NEEDS)}, not {unknown}")


def _check_terms(loss: Loss, teachers: int, num_classes: int, count: int) -> None:
    torch.manual_seed(0)
    module = loss.build(_shape(teachers, num_classes))
    batch = _batch(loss, teachers, num_classes, count)
    output = _output(num_classes, count)
    terms = _check_finite(module(batch, output))
    terms["total"].backward()
    gradient = output.logits.grad
    if _reads_no_answers(loss, module, batch, output):
        _check_reaches(output)
    elif gradient is None:
        raise AssertionError("no gradient of the total reaches the student's logits")
    else:
        require_finite(gradient, "the gradient of the student's logits")
        require(gradient.abs().sum() > 0, "the gradient of the student's logits is zero")
    _check_readings(module, count)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            require_finite(parameter.grad, f"the gradient of the loss's own {name}")
    again = module(batch, output)["total"]
    require(torch.equal(again, terms["total"]), "the same input must give the same total each time")


def _check_unlabelled(loss: Loss, teachers: int) -> None:
    """The loss on windows with soft targets and without labels, if it asks for some."""
    if not loss.unlabelled:
        return
    require(loss.unlabelled > 0.0, f"unlabelled must not be below 0, but is {loss.unlabelled}")
    require("soft_targets" in loss.needs, "unlabelled is above 0: needs must have soft_targets")
    torch.manual_seed(0)
    module = loss.build(_shape(teachers, 4))
    hear = getattr(module, "unlabelled", None)
    require(callable(hear), "unlabelled is above 0, but the module of build has no such method")
    assert callable(hear)
    batch = replace(
        _batch(loss, teachers, 4, 6),
        labels=torch.full((6,), -1),
        teacher_pooled=(),
        teacher_frames=(),
        teacher_lengths=(),
    )
    output = _output(4, 6)
    _check_finite(hear(batch, output))["total"].backward()
    gradient = output.logits.grad
    require(
        gradient is not None and bool(gradient.abs().sum() > 0),
        "no gradient of windows without a label reaches the student's logits",
    )


def _check_reaches(output: StudentOutput) -> None:
    """The gradient of a loss without labels must reach some output of the student."""
    leaves = (output.logits, output.embedding, *output.maps)
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    require(
        any(bool(gradient.abs().sum() > 0) for gradient in gradients),
        "no gradient of the total reaches the student",
    )
    for gradient in gradients:
        require_finite(gradient, "the gradient of the student's output")


def _check_without_maps(loss: Loss, teachers: int) -> None:
    """A student may give logits and embedding only."""
    torch.manual_seed(0)
    try:
        module = loss.build(replace(_shape(teachers, 4), map_dims=(), last_map_dim=0))
    except PluginError:
        return
    output = _output(4, 6)
    try:
        terms = module(_batch(loss, teachers, 4, 6), StudentOutput(output.logits, output.embedding))
    except Exception as error:
        raise AssertionError(
            f"forward raised {type(error).__name__}: {error}; a loss that needs maps must "
            "raise a PluginError in build"
        ) from error
    _check_finite(terms)


def _check_finite(terms: object) -> dict[str, Tensor]:
    """The terms, which must be finite scalars, including a total."""
    given = instance_of(terms, dict, "what forward returns")
    require("total" in given, f"no 'total' among the terms {sorted(given)}")
    for name, term in given.items():
        require_shape(term, (), f"the term {name!r}")
        require_finite(term, f"the term {name!r}")
    return given


def _check_readings(module: nn.Module, count: int) -> None:
    """Values for `serbench explain`, if there are any."""
    readings = instance_of(getattr(module, "readings", {}), dict, "readings")
    for name, value in readings.items():
        what = f"the reading {name!r}"
        reading = instance_of(value, Tensor, what)
        require(
            reading.ndim in (1, 2) and len(reading) == count,
            f"{what} must be ({count},) or ({count}, k), not {tuple(reading.shape)}",
        )
        require(not reading.requires_grad, f"{what} must be detached")


def _reads_no_answers(loss: Loss, module: nn.Module, batch: Batch, output: StudentOutput) -> bool:
    """Whether neither a label nor a soft target changes anything: an objective of pretraining."""
    if "soft_targets" in loss.needs:
        return False
    before = module(batch, output)["total"]
    for labels in ((batch.labels + 1) % 2, torch.full_like(batch.labels, -1)):
        try:
            after = module(replace(batch, labels=labels), output)["total"]
        except (IndexError, RuntimeError):
            return False
        if not torch.equal(before, after):
            return False
    return True


def _check_extremes(loss: Loss, teachers: int) -> None:
    """One-hot and uniform teachers, and a student that is confident, rightly or wrongly."""
    torch.manual_seed(0)
    module = loss.build(_shape(teachers, 4))
    for scale in (0.0, 1e4):
        batch = _batch(loss, teachers, 4, 4, scale)
        for sign in (1.0, -1.0):
            output = _output(4, 4, sign * scale)
            terms = module(batch, output)
            terms["total"].backward()
            case = f"with logits of ±{scale:g}"
            require_finite(terms["total"], f"the total {case}")
            if output.logits.grad is not None:
                require_finite(output.logits.grad, f"the gradient of the logits {case}")


def _shape(teachers: int, num_classes: int) -> LossShape:
    return LossShape(
        num_classes=num_classes,
        embedding_dim=EMBEDDING_DIM,
        map_dims=MAP_DIMS,
        last_map_dim=MAP_DIMS[-1][0],
        pooled_dims=POOLED_DIMS[:teachers],
        frame_dims=FRAME_DIMS[:teachers],
        num_teachers=teachers,
        label_counts=tuple(range(10, 10 + num_classes)),
    )


def _logits(num_classes: int, count: int, scale: float | None, seed: int) -> Tensor:
    """Random logits; with ``scale``, this value on the true class."""
    if scale is not None:
        labels = torch.arange(count) % num_classes
        return scale * torch.nn.functional.one_hot(labels, num_classes).float()
    return 2 * torch.randn(count, num_classes, generator=torch.Generator().manual_seed(seed))


def _batch(
    loss: Loss, teachers: int, num_classes: int, count: int, scale: float | None = None
) -> Batch:
    """A batch with exactly the teachers' outputs in ``loss.needs``."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.zeros(0, count, num_classes)
    if teachers and "soft_targets" in loss.needs:
        logits = torch.stack([_logits(num_classes, count, scale, 2 + t) for t in range(teachers)])
    pooled: tuple[Tensor, ...] = ()
    frames: tuple[Tensor, ...] = ()
    if "pooled" in loss.needs:
        pooled = tuple(torch.randn(count, d, generator=generator) for d in POOLED_DIMS[:teachers])
    if "frames" in loss.needs:
        frames = tuple(
            torch.randn(count, 25 + 5 * t, d, generator=generator)
            for t, d in enumerate(FRAME_DIMS[:teachers])
        )
    return Batch(
        features=torch.randn(count, 3, 40, 60, generator=generator),
        lengths=torch.linspace(30, 60, count).long(),
        labels=torch.arange(count) % num_classes,
        teacher_logits=logits,
        teacher_pooled=pooled,
        teacher_frames=frames,
        teacher_lengths=tuple(
            torch.linspace(f.shape[1] // 2, f.shape[1], count).long() for f in frames
        ),
    )


def _output(num_classes: int, count: int, scale: float | None = None) -> StudentOutput:
    """Output of a student with two levels, as leaves that collect gradients."""
    generator = torch.Generator().manual_seed(5)
    maps = tuple(
        torch.randn(count, c, h, 60 // (level + 1), generator=generator).requires_grad_()
        for level, (c, h) in enumerate(MAP_DIMS)
    )
    lengths = torch.linspace(30, 60, count).long()
    masks = tuple(
        torch.arange(m.shape[3])[None] < (lengths // (level + 1))[:, None]
        for level, m in enumerate(maps)
    )
    return StudentOutput(
        logits=_logits(num_classes, count, scale, 6).requires_grad_(),
        embedding=torch.randn(count, EMBEDDING_DIM, generator=generator).requires_grad_(),
        maps=maps,
        masks=masks,
        last_map=maps[-1],
        last_mask=masks[-1],
    )
