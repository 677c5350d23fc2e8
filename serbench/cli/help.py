"""The texts that ``--help`` shows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable


def help_of(module: object, command: Callable[..., object]) -> str:
    """A command's help: its module's ``HELP``, else its docstring, each paragraph as one line.

    A terminal then wraps it to its own width. Indented lines, such as examples, stay as they are.
    """
    text = getattr(module, "HELP", None) or inspect.getdoc(command) or ""
    return "\n\n".join(_one_line(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip()))


def _one_line(paragraph: str) -> str:
    return paragraph if paragraph.startswith(" ") else re.sub(r"\n(?! )", " ", paragraph)
