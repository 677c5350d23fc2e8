"""The version of the plugin contract, and a decorator for deprecated parts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from typing_extensions import deprecated as marked

from serbench.errors import SerbenchDeprecationWarning

T = TypeVar("T", bound=Callable[..., object])

VERSION = "1.0"
"""Version of the contract: the names and signatures of ``serbench.api`` and ``serbench.testing``.
Major: something is removed or changed, and plugins may have to change. Minor: something is new.
"""


def deprecated(instead: str, *, until: str) -> Callable[[T], T]:
    """Mark a class or function of the contract as deprecated: its use warns and names a successor.

    Examples:
        >>> @deprecated("use open_model", until="9.0")
        ... def load_model(): ...
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     load_model()
        >>> print(told[0].message)
        load_model will be removed in version 9.0 of serbench.api: use open_model

    Args:
        instead: what to do, as in ``"use open_model"``.
        until: the first version of the contract without it, one minor version away or more.

    Raises:
        RuntimeError: that version has been reached; keeping the part is a mistake in serbench.
    """

    def mark(part: T) -> T:
        name = getattr(part, "__name__", repr(part))
        if _numbers(until) <= _numbers(VERSION):
            raise RuntimeError(
                f"{name} should have been removed in version {until} of serbench.api: remove it"
            )
        message = f"{name} will be removed in version {until} of serbench.api: {instead}"
        # Type checkers need a literal here, but the message is computed.
        return marked(message, category=SerbenchDeprecationWarning)(part)  # pyright: ignore[reportArgumentType]

    return mark


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
