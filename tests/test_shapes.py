"""The shapes in annotations are checked in every test: here is that they are, and how."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("jaxtyping", reason="jaxtyping is not installed: pip install 'serbench[dev]'")

from jaxtyping import Bool, Float, Float32, Int
from numpy.typing import NDArray
from tests_support.shapes import PACKAGES, checked, hints_of
from torch import Tensor

from serbench_akd.terms import CrossEntropy


@checked
def weighted(
    rows: Float[Tensor, "N C"],
    weights: Sequence[Float[Tensor, " C"]],
    mask: Bool[Tensor, " N"] | None = None,
) -> tuple[Float[Tensor, " N"], Int[Tensor, ""]]:
    total = sum((rows @ weight for weight in weights), torch.zeros(len(rows)))
    return (total if mask is None else total[mask]), torch.tensor(len(rows))


ROWS, WEIGHT = torch.ones(2, 3), torch.ones(3)


def test_what_fits_passes() -> None:
    assert weighted(ROWS, [WEIGHT, WEIGHT])[0].tolist() == [6.0, 6.0]
    assert weighted(ROWS, (), mask=torch.tensor([True, True]))[1] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(2), []), r"^rows of weighted must be .*, not \(2,\) torch.float32$"),
        ((ROWS.long(), []), r"rows .* not \(2, 3\) torch.int64"),
        ((ROWS, [WEIGHT, torch.ones(4)]), r"weights .* not \(\(3,\) .*, \(4,\) "),
        ((ROWS, [WEIGHT], torch.ones(2)), r"mask .* not \(2,\) torch.float32"),
        ((ROWS, [WEIGHT], torch.tensor([True])), r"mask .* not \(1,\) torch.bool"),
        (
            (ROWS, [], torch.tensor([True, False])),
            r"^what weighted returns must be .*, not \(\(1,\)",
        ),
        ((ROWS.numpy(), []), "rows of weighted must be"),
    ],
)
def test_what_does_not_fit_is_told(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        weighted(*arguments)


def test_fields_of_a_dataclass_and_values_of_a_mapping_are_checked() -> None:
    @dataclasses.dataclass
    class Scores:
        posteriors: Float32[NDArray[np.float32], "N C"]
        by_name: Mapping[str, Float32[NDArray[np.float32], " N"]]

    Scores.__init__ = checked(Scores.__init__)  # pyright: ignore[reportArgumentType]
    values = np.zeros((2, 3), np.float32)
    Scores(values, {"a": values[:, 0]})
    with pytest.raises(TypeError, match=r"posteriors of .*Scores\.__init__"):
        Scores(values.astype(np.float64), {})  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="by_name of"):
        Scores(values, {"a": values[0]})


def functions() -> Iterator[Callable[..., object]]:
    """Those of ``PACKAGES`` whose shapes are checked."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        below = pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}.")
        for module in (package, *(importlib.import_module(each.name) for each in below)):
            own = [each for each in vars(module).values() if inspect.isclass(each)]
            for owner in (module, *own):
                for value in vars(owner).values():
                    if getattr(value, "__module__", "") == module.__name__ and hints_of(value):
                        yield value


def test_the_shapes_of_losses_students_features_and_runtime_are_checked() -> None:
    found = {function.__qualname__: function for function in functions()}
    assert len(found) > 40
    for function in found.values():
        assert hasattr(function, "__wrapped__"), f"{function.__qualname__} is not checked"
        assert hints_of(function)()
    with pytest.raises(TypeError, match=r"labels of CrossEntropy\.forward must be"):
        CrossEntropy()(torch.zeros(2, 3), torch.zeros(2))


def test_nothing_but_the_tests_needs_jaxtyping() -> None:
    blocked = "import sys; sys.modules['jaxtyping'] = None; "
    imports = ", ".join((*PACKAGES, "serbench_akd.plugin", "serbench_baselines.plugin"))
    subprocess.run([sys.executable, "-c", f"{blocked}import {imports}"], check=True)
