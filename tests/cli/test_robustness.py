from __future__ import annotations

from typer.testing import CliRunner

from serbench.cli import app


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["robustness", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_an_unknown_condition_is_told_before_anything_is_read() -> None:
    code, text = invoke("nowhere", "--condition", "brown")
    assert code == 2
    assert text.startswith("serbench: --condition brown: unknown condition")
    assert "room@0.6" in text
