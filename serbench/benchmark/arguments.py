"""Converts arguments of a run from Python to those of the command line."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from serbench.api import RegistryError
from serbench.running.registry.toml_text import toml_value
from serbench.running.store.finished import leaves

PathLike = str | os.PathLike[str]
"""A file or a folder; ``~`` stands for the home folder."""

Names = str | Sequence[str]
"""One name, or several."""

Settings = Mapping[str, object] | Sequence[str]
"""Settings: ``{"training.epochs": 20}``, ``{"training": {"epochs": 20}}`` or
``["training.epochs=20"]``.
"""


def several(names: str | os.PathLike[str] | Sequence[PathLike]) -> tuple[str, ...]:
    """Names as a tuple; a single name becomes a tuple of one.

    Raises:
        RegistryError: the value is neither a name nor several names.
    """
    if isinstance(names, str | os.PathLike):
        names = (names,)
    try:
        return tuple(os.fspath(each) for each in names)
    except TypeError:
        raise RegistryError(f"expected a name or a list of names, not {names!r}") from None


def place(path: PathLike | None) -> Path | None:
    """A path with the home folder instead of ``~``.

    Raises:
        RegistryError: the value is not a path.
    """
    try:
        return None if path is None else Path(path).expanduser()
    except TypeError:
        raise RegistryError(f"expected a path, not {path!r}") from None


def setting_texts(settings: Settings) -> tuple[str, ...]:
    """Each setting as ``--set`` takes it: ``PATH=VALUE``, the value as TOML.

    Raises:
        RegistryError: a value is None, which TOML cannot express.

    Examples:
        >>> setting_texts({"protocol.folds": "loso", "training": {"epochs": 20}})
        ('protocol.folds="loso"', 'training.epochs=20')
    """
    if not isinstance(settings, Mapping):
        return several(settings)
    texts: list[str] = []
    for path, value in leaves(settings):
        if isinstance(value, Mapping):  # an empty table
            continue
        if value is None:
            raise RegistryError(f"settings: {path} is None; leave it out to keep its default")
        plain = value.item() if isinstance(value, np.generic) else value
        texts.append(f"{path}={toml_value(plain)}")
    return tuple(texts)


UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "min": 60.0, "s": 1.0}


def seconds_of(duration: float | str) -> float:
    """A duration in seconds.

    Raises:
        RegistryError: the value is not a duration, or not above 0.

    Examples:
        >>> seconds_of("1h30m"), seconds_of("45 s"), seconds_of(8)
        (5400.0, 45.0, 8.0)
    """
    text = f"{duration}s" if isinstance(duration, int | float) else duration.strip()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[dhms])\s*", text)
    seconds = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    if seconds <= 0 or re.sub(r"\s", "", text) != "".join(map("".join, parts)):
        raise RegistryError(
            f"--stop-after {duration}: write a duration above 0, such as 8h, 90m or 1h30m"
        )
    return seconds


def command_line(command: str, names: Sequence[str], options: Mapping[str, object]) -> str:
    """The command that does the same as a call of a function in Python.

    Args:
        command: name of the command.
        names: arguments of the command.
        options: values of the options by their names in Python; None, False and empty values are
            left out.

    Examples:
        >>> command_line("run", ["akd"], {"data_dir": "my speech", "canary": True, "teacher": ()})
        "serbench run akd --data-dir 'my speech' --canary"
    """
    words = [word for name, value in options.items() for word in _option(name, value)]
    return shlex.join(["serbench", command, *names, *words])


def _option(name: str, value: object) -> Iterator[str]:
    if value is None or value is False or value == "":
        return
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        yield flag
    elif isinstance(value, tuple):
        for each in value:
            yield from (flag, str(each))
    else:
        yield from (flag, str(value))


def evaluated(dataset: str | None, train: Sequence[str], test: str | None) -> str:
    """The dataset to test on.

    Raises:
        RegistryError: neither ``dataset`` nor both ``train`` and ``test`` are given.
    """
    given = bool(train), bool(test)
    if dataset and not any(given):
        return dataset
    if test and all(given) and not dataset:
        return test
    if dataset:
        raise RegistryError(
            "--dataset cross-validates on one corpus; it cannot be combined with --train and --test"
        )
    raise RegistryError(
        "name the data: --dataset NAME cross-validates on one corpus; --train NAME --test "
        "OTHER trains on one or several and tests on another. `serbench list datasets` shows "
        "them"
    )


def protocol_sets(protocol: str, canary: bool, overlap: bool) -> tuple[str, ...]:
    """Settings of the protocol that have options of their own; ``--set`` overrides them."""
    return (
        *([f"protocol.name={protocol}"] if protocol else []),
        *(["protocol.canary=5"] if canary else []),
        *(["protocol.allow_pretraining_overlap=true"] if overlap else []),
    )
