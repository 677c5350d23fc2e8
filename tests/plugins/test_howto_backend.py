"""The example of docs/howto-backend.md, as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto-backend.md"


def test_the_example_and_its_test_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, test = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    module = ModuleType("serbench_double")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(plugin, "serbench_double.py", "exec"), vars(module))
    names: dict[str, object] = {}
    exec(compile(test, "test_double.py", "exec"), names)
    names["test_double"]()  # pyright: ignore[reportCallIssue]
    assert module.serbench_backends() == [module.DoubleBackend]
