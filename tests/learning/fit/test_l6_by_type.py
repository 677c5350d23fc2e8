"""L6 by type: no fit takes what may only be predicted, and only a view gives what may be fitted."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import serbench

FILE = Path(__file__).with_name("l6_by_type.py")
"""Lines that end in ``# refused`` fit on what is no training side."""

CORE = Path(serbench.__file__).parent
TYPES = {"TrainingFrames", "TrainingEmbeddings"}
ON_PURPOSE = "harness/leaky.py"


def test_pyright_refuses_each_fit_on_what_may_only_be_predicted() -> None:
    lines = FILE.read_text("utf-8").splitlines()
    leaks = {n for n, line in enumerate(lines) if line.endswith("# refused")}
    assert len(leaks) == 13
    told = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, FILE],
        capture_output=True, text=True, check=False, timeout=300,
    ).stdout  # fmt: skip
    errors = json.loads(told)["generalDiagnostics"]
    assert {each["range"]["start"]["line"] for each in errors} == leaks
    assert {each["rule"] for each in errors} == {"reportArgumentType"}


def made(tree: ast.Module) -> dict[str, set[str]]:
    """The training types that a module makes, and within which functions."""
    found: dict[str, set[str]] = {}
    for function in (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)):
        for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in TYPES:
                found.setdefault(call.func.id, set()).add(function.name)
    return found


def test_only_a_view_gives_what_may_be_fitted_and_the_broken_protocols_but_them() -> None:
    """``only`` chooses of a training side; all leaks on purpose are in one module."""
    makers = {
        f"{path.parent.name}/{path.name}": found
        for path in sorted(CORE.rglob("*.py"))
        if (found := made(ast.parse(path.read_text("utf-8"))))
    }
    assert makers == {
        "learning/features.py": {"TrainingFrames": {"fitting"}},
        "teach/embeddings.py": {"TrainingEmbeddings": {"fitting", "only"}},
        "fit/probe.py": {"TrainingEmbeddings": {"probe"}},  # of TrainingFrames
        ON_PURPOSE: {
            "TrainingFrames": {"corpus_normaliser"},
            "TrainingEmbeddings": {"corpus_embeddings"},
        },
    }
