"""The shapes that annotations promise, checked whenever a test calls the function.

Source files import jaxtyping for type checkers only, so that nobody needs it to run serbench. The
tests load the modules of ``PACKAGES`` through ``ShapeFinder``, which wraps every function and every
dataclass with shapes in its annotations.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import jaxtyping
import torch
from jaxtyping import AbstractArray, jaxtyped

PACKAGES = (
    "serbench_runtime",
    "serbench.learning.features",
    "serbench_akd",
    "serbench_baselines",
    "serbench_inherited",
)
KINDS = {name: getattr(jaxtyping, name) for name in ("Bool", "Float", "Float32", "Int", "Shaped")}
SHAPED = re.compile(rf"\b({'|'.join(KINDS)})\[")


class ShapeFinder(MetaPathFinder):
    """Finds modules of some packages as others do, and has their shapes checked."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(f"{fullname}.".startswith(f"{package}.") for package in self.packages):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if type(spec.loader) is SourceFileLoader:
                    spec.loader = ShapeLoader(spec.loader.name, spec.loader.path)
                return spec
        return None


class ShapeLoader(SourceFileLoader):
    """Loads a module and wraps its functions before anybody can import them."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        own = [each for each in vars(module).values() if inspect.isclass(each)]
        for owner in (module, *own):
            for name, value in list(vars(owner).items()):
                if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                    setattr(owner, name, checked(value))


def hints_of(function: object) -> Callable[[], Mapping[str, object]] | None:
    """Its annotations with shapes, looked up when they are first asked for; None: it has none."""
    if not isinstance(function, FunctionType):
        return None
    texts = {
        name: text
        for name, text in inspect.get_annotations(function).items()
        if isinstance(text, str) and SHAPED.search(text)
    }
    if not texts:
        return None
    names = {**KINDS, **inspect.unwrap(function).__globals__}
    return cache(lambda: {name: eval(text, names) for name, text in texts.items()})


def checked(function: FunctionType) -> Callable[..., Any]:
    """``function``, which then raises ``TypeError`` where a shape is another than it says."""
    hints = hints_of(function)
    if hints is None:
        return function
    signature = inspect.signature(function)

    @wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        if torch.compiler.is_compiling():  # sizes are symbols then
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        with jaxtyped("context"):
            for name, value in bound.arguments.items():
                if name in hints():
                    _require(value, hints()[name], f"{name} of {function.__qualname__}")
            result = function(*args, **kwargs)
            if "return" in hints():
                _require(result, hints()["return"], f"what {function.__qualname__} returns")
        return result

    return wrapper


def conforms(value: object, hint: Any) -> bool:
    """Whether a value has the shapes of an annotation; within a context its names are bound."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(conforms(value, each) for each in inner)
    if origin is tuple and isinstance(value, tuple) and inner[-1] is not ...:
        return len(value) == len(inner) and all(map(conforms, value, inner))
    if isinstance(value, tuple | list) and inner:
        return all(conforms(each, inner[0]) for each in value)
    if isinstance(value, Mapping) and inner:
        return all(conforms(each, inner[1]) for each in value.values())
    if hint is None or hint is NoneType:
        return value is None
    return isinstance(value, hint) if _is_shape(hint) else True


def _is_shape(hint: object) -> bool:
    return inspect.isclass(hint) and issubclass(hint, AbstractArray)


def _require(value: object, hint: object, what: str) -> None:
    __tracebackhide__ = True
    if not conforms(value, hint):
        raise TypeError(f"{what} must be {hint}, not {_described(value)}")


def _described(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_described, value))})"
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"{tuple(shape)} {getattr(value, 'dtype', '')}"
