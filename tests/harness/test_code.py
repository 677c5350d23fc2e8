from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tests_support.runs import LinearStudent, method, run_plan

from serbench.harness.code import _package_digest, code_digests, package_digest
from serbench.source import core_digest

SOURCE = "from tests_support.runs import LinearStudent\n\nclass Own(LinearStudent):\n    x = 1\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "strange_student"
    folder.mkdir()
    (folder / "__init__.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange_student", raising=False)
    return folder


def digest() -> str:
    _package_digest.cache_clear()
    return package_digest(importlib.import_module("strange_student").Own)


def test_code_counts_and_its_comments_do_not(package: Path) -> None:
    before = digest()
    (package / "__init__.py").write_text(f'"""A docstring."""\n# a comment\n{SOURCE}')
    assert digest() == before
    (package / "__init__.py").write_text(SOURCE.replace("x = 1", "x = 2"))
    assert digest() != before


def test_every_module_of_the_package_counts(package: Path) -> None:
    before = digest()
    (package / "helper.py").write_text("y = 1\n")
    assert digest() != before


def test_what_was_imported_is_what_counts(package: Path) -> None:
    before = digest()
    (package / "helper.py").write_text("y = 1\n")
    assert package_digest(importlib.import_module("strange_student").Own) == before


def test_a_run_names_the_code_of_the_core_and_of_its_plugins() -> None:
    digests = code_digests(run_plan(Path("noise"), method("m")))
    assert digests["serbench_baselines.ce"] != digests[LinearStudent.__module__]
    assert set(digests) == {"fit", "head", "serbench_baselines.ce", LinearStudent.__module__}
    assert core_digest(("fit",)) != core_digest(("teach",))
