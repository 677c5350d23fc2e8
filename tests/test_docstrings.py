"""The examples in the docstrings of what others import are run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

PACKAGES = ("serbench.api", "serbench.benchmark", "serbench.testing", "serbench_runtime")


def modules() -> Iterator[ModuleType]:
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        for each in pkgutil.walk_packages(package.__path__, f"{name}."):
            yield importlib.import_module(each.name)


EXAMPLES = [
    example
    for module in modules()
    for example in doctest.DocTestFinder().find(module)
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_gives_what_it_shows(example: doctest.DocTest) -> None:
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=told.append)
    assert not runner.summarize(verbose=False).failed, "".join(told)


def test_every_package_has_examples() -> None:
    named = [example.name for example in EXAMPLES]
    assert all(any(name.startswith(package) for name in named) for package in PACKAGES)
