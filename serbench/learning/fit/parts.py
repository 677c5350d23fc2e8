"""Parts of a student, by the beginning of their names: which are trained, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from serbench.api import SerbenchError
from serbench.settings import TrainingSettings


def belongs(name: str, part: str) -> bool:
    """Whether a module or parameter belongs to a part: ``blocks.1.norm.weight`` belongs to
    ``blocks.1``, ``blocks.10.norm.weight`` does not.
    """
    return name == part or name.startswith(f"{part}.")


def check_parts(student: nn.Module, settings: TrainingSettings) -> None:
    """
    Raises:
        SerbenchError: the student has no such part as ``freeze`` or ``rates`` names, or nothing is
            left to train.
    """
    parameters = [name for name, _ in student.named_parameters()]
    modules = [name for name, _ in student.named_modules() if name]
    _check_known("freeze", settings.freeze, [*modules, *parameters])
    _check_known("rates", settings.rates, parameters)
    left = [name for name in parameters if not any(belongs(name, p) for p in settings.freeze)]
    if settings.epochs and not left:
        raise SerbenchError(
            "training.freeze leaves no parameter of the student to train: freeze less, or set "
            "training.epochs = 0 and training.probe = true"
        )


def _check_known(setting: str, parts: Iterable[str], names: Sequence[str]) -> None:
    for part in parts:
        if not any(belongs(name, part) for name in names):
            own = dict.fromkeys(name.partition(".")[0] for name in names)
            raise SerbenchError(
                f"training.{setting}: the student has no part {part!r}; it can be one of "
                f"{', '.join(own)}, or a part inside them"
            )


def freeze(student: nn.Module, parts: Iterable[str]) -> None:
    """Compute no gradients for these parts. No graph is built through frozen parts that come before
    all trained ones.
    """
    for part in parts:
        for name, parameter in student.named_parameters():
            if belongs(name, part):
                parameter.requires_grad_(False)


def train_mode(student: nn.Module, frozen: Iterable[str]) -> None:
    """Set training mode, but evaluation mode for frozen parts: no dropout, fixed statistics."""
    student.train()
    for part in frozen:
        for name, module in student.named_modules():
            if belongs(name, part):
                module.eval()


def rate_of(name: str, rates: dict[str, float]) -> float:
    """The factor on a parameter's learning rate: that of the longest part that it belongs to."""
    own = [part for part in rates if belongs(name, part)]
    return rates[max(own, key=len)] if own else 1.0
