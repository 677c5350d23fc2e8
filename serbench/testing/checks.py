"""A contract as named checks: one pytest test for each, or all of them in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec
from unittest import SkipTest

__tracebackhide__ = True

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of a contract; call it to check it.

    The call raises ``AssertionError`` with one clear message if the plugin breaks the contract, and
    ``unittest.SkipTest``, which pytest knows, if it cannot be checked here.

    Examples:
        >>> check = Check("numbers add up", lambda: None)
        >>> check()
        >>> str(check)
        'numbers add up'

    Attributes:
        name: the requirement, in a few words.
        run: the function that checks it.
    """

    name: str
    run: Callable[[], object]

    def __call__(self) -> None:
        """See the class."""
        self.run()

    def __str__(self) -> str:
        return self.name


def run_all(checks: Iterable[Check]) -> str | None:
    """Run every check, and report all failures together.

    If the first one fails, there is no plugin to check, and the others are left out.

    Returns:
        None if everything was checked; else the reason why something could not be.

    Raises:
        AssertionError: the failures, one per line. An error of the plugin itself is its cause.
    """
    failures: dict[str, list[str]] = {}  # names of checks by what they say
    cause: Exception | None = None
    reason: str | None = None
    for number, check in enumerate(checks):
        try:
            check()
        except SkipTest as skipped:
            reason = reason or str(skipped)
        except Exception as error:
            told = isinstance(error, AssertionError)
            cause = cause or (None if told else error)
            message = str(error) if told else f"raised {type(error).__name__}: {error}"
            failures.setdefault(message, []).append(check.name)
            if number == 0:
                break
    if failures:
        lines = [f"{'; '.join(names)}: {message}" for message, names in failures.items()]
        raise AssertionError("\n".join(lines)) from cause
    return reason


def together(checks: Callable[P, Iterable[Check]]) -> Callable[P, str | None]:
    """A function with the same arguments that runs all ``checks``; see ``run_all``."""

    def check(*args: P.args, **kwargs: P.kwargs) -> str | None:
        return run_all(checks(*args, **kwargs))

    check.__doc__ = f"Run all checks and report every failure together.\n\n{checks.__doc__}"
    return check
