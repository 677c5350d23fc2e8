from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tests_support.runs import LinearStudent, candidate, method, run_plan

from serbench.files import source as source_module
from serbench.files.source import (
    core_digest,
    package_digest,
    package_digest_of,
    source_digest,
)
from serbench.learning.fit import optimise
from serbench.running.harness.code import arithmetic, code_digests

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
    package_digest_of.cache_clear()
    return package_digest(importlib.import_module("strange_student").Own)


def test_code_counts_and_its_comments_do_not(package: Path) -> None:
    before = digest()
    described = f'"""A docstring."""\n# a comment\n{SOURCE}    """Of an attribute."""\n'
    (package / "__init__.py").write_text(described)
    assert digest() == before
    (package / "__init__.py").write_text(SOURCE.replace("x = 1", "x = 2"))
    assert digest() != before


def test_every_module_of_the_package_counts(package: Path) -> None:
    before = digest()
    (package / "helper.py").write_text("y = 1\n")
    assert digest() != before


def test_another_plugin_that_it_imports_counts_too(package: Path) -> None:
    (package / "late.py").write_text("def ask():\n    from serbench_other import two\n")
    other = package.parent / "serbench_other.py"
    other.write_text("two = 2\n")
    before = digest()
    other.write_text("two = 3\n")
    assert digest() != before


def test_what_is_imported_late_counts(package: Path) -> None:
    networks = package / "networks"
    networks.mkdir()
    network = networks / "own.py"
    (package / "late.py").write_text(
        "class Late:\n    def build(self):\n        from strange_student.networks.own import make\n"
        "        return make()\n"
    )
    network.write_text("def make():\n    from serbench_other.networks import width\n")
    other = package.parent / "serbench_other" / "networks"
    other.mkdir(parents=True)
    (other.parent / "__init__.py").write_text("")
    (other / "__init__.py").write_text("width = 2\n")
    digests = [digest()]
    network.write_text("def make():\n    from serbench_other.networks import width as size\n")
    digests.append(digest())
    (other / "__init__.py").write_text("width = 3\n")
    digests.append(digest())
    assert len({*digests}) == 3


@pytest.mark.parametrize(
    ("declared", "late"),
    [
        ("serbench_akd", "serbench_akd.networks.hybrid"),
        ("serbench_akd", "serbench_akd.losses.akd"),
        ("serbench_baselines", "serbench_baselines.networks.tim_net"),
        ("serbench_baselines", "serbench_baselines.losses.kd"),
        ("serbench_baselines", "serbench_baselines.estimators.inca"),
        ("serbench_baselines", "serbench_teachers.loading"),
        ("serbench_front_ends", "serbench_front_ends.transforms.log_mel"),
        ("serbench_front_ends", "serbench_teachers.statistics"),
        ("serbench_backends", "serbench_backends.torch_modules"),
    ],
)
def test_a_plugins_digest_reads_what_it_loads_late(
    monkeypatch: pytest.MonkeyPatch, declared: str, late: str
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(source_module, "source_digest", read.extend)
    package_digest_of.cache_clear()
    package_digest_of(declared)
    package_digest_of.cache_clear()
    assert Path(str(importlib.import_module(late).__file__)) in read


def test_what_was_imported_is_what_counts(package: Path) -> None:
    before = digest()
    (package / "helper.py").write_text("y = 1\n")
    assert package_digest(importlib.import_module("strange_student").Own) == before


def test_a_run_names_the_code_of_the_core_and_of_its_plugins() -> None:
    digests = code_digests(run_plan(Path("noise"), method("m")))
    assert digests["serbench_baselines.ce"] != digests[LinearStudent.__module__]
    assert set(digests) == {
        *("fit", "head", "serbench_baselines.ce", "serbench_backends.torch"),
        "serbench_front_ends.log_mel",
        LinearStudent.__module__,
    }
    assert core_digest(("learning/fit",)) != core_digest(("learning/teach",))


BODY = "def f():\n    return g(1)\n"


def source(tmp_path: Path, text: str) -> str:
    file = tmp_path / "module.py"
    file.write_text(text)
    return source_digest([file])


def test_where_the_core_keeps_a_name_does_not_count(tmp_path: Path) -> None:
    one = f"from serbench.a import g, h\n\n{BODY}"
    two = f"from serbench.b.c import g\nfrom serbench.d import h\n{BODY}"
    assert source(tmp_path, one) == source(tmp_path, two)
    late = "def f():\n    from serbench.a import g\n    return g(1)\n"
    assert source(tmp_path, late) == source(tmp_path, late.replace("serbench.a", "serbench.b"))


@pytest.mark.parametrize(
    "line",
    [
        "from serbench.a import h as g, h",
        "from serbench_akd import g",
        "from numpy import g",
        "from .a import g",
        "import numpy as g",
        "",
    ],
)
def test_what_a_name_means_does_count(tmp_path: Path, line: str) -> None:
    texts = [f"{start}\n{BODY}" for start in ("from torch import g", line)]
    assert source(tmp_path, texts[0]) != source(tmp_path, texts[1])


def test_a_runs_arithmetic_is_the_precision_that_auto_comes_out_as(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = run_plan(Path("noise"), method("m", candidate(precision="auto")))
    monkeypatch.setattr(optimise.torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert arithmetic(plan, "cpu")["precision"] == {"m": ["bf16"]}
    monkeypatch.setattr(optimise.torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert arithmetic(plan, "cpu")["precision"] == {"m": ["fp32"]}


def test_code_is_named_in_one_order(tmp_path: Path) -> None:
    plan = run_plan(tmp_path, method("one", candidate()))
    named = list(code_digests(plan))
    assert named == ["fit", "head", *sorted(named[2:])]
    assert len(named) > 3
