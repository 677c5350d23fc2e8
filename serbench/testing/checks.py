"""A contract as named checks: one test for each in pytest, or all of them in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec
from unittest import SkipTest

__tracebackhide__ = True

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a contract asks for; call it to find out whether it holds.

    Calling it raises ``AssertionError`` where the plugin breaks the contract, with one clear
    message, and ``unittest.SkipTest``, which pytest knows, where it cannot be checked here.

    Examples:
        >>> check = Check("numbers add up", lambda: None)
        >>> check()
        >>> str(check)
        'numbers add up'

    Attributes:
        name: what is asked for, in a few words.
        run: what is done to find out.
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

    Where the first one fails there is no plugin to try the others on, and they are left out.

    Returns:
        None where everything was checked; else the reason why something could not be.

    Raises:
        AssertionError: what is broken, a line for each failure. An error of the plugin itself is
            its cause.
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
    """A function of the same arguments that runs all ``checks``; see ``run_all``."""

    def check(*args: P.args, **kwargs: P.kwargs) -> str | None:
        return run_all(checks(*args, **kwargs))

    check.__doc__ = f"Run all checks and report every failure together.\n\n{checks.__doc__}"
    return check
