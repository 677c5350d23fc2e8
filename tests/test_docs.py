from __future__ import annotations

import re
from pathlib import Path

import pytest

from serbench import hookspecs
from serbench.testing import check_loss

ROOT = Path(__file__).parents[1]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("serbench_"))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_in_the_docs(hook: str) -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/plugins.md").read_text(), re.MULTILINE)
    assert hook in headings


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook: str) -> None:
    tests = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(re.search(rf"^def test_{hook}\b", text, re.MULTILINE) for text in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_docstring(hook: str) -> None:
    assert vars(hookspecs)[hook].__doc__


def test_the_docs_speak_of_no_hook_that_is_not_there() -> None:
    headings = re.findall(r"^### (serbench_\w+)$", (ROOT / "docs/plugins.md").read_text(), re.M)
    assert sorted(headings) == HOOKS


def test_the_plugin_of_the_docs_keeps_its_contract() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/plugins.md").read_text(), re.DOTALL)
    namespace: dict[str, object] = {"__name__": "serbench_focal"}
    exec(compile(blocks[0], "docs/plugins.md", "exec"), namespace)
    cls = namespace["Focal"]
    assert isinstance(cls, type)
    check_loss(cls)
