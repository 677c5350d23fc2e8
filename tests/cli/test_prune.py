from __future__ import annotations

import pytest
from typer.testing import CliRunner

from serbench.cli import app


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prune", *arguments])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--amount", "0"), "--amount 0: give the share to prune"),
        (("--amount", "1"), "--amount 1: give the share"),
        (("--amount", "-0.5"), "--amount -0.5: give the share"),
        (("--amount", "nan"), "--amount nan: give the share"),
        (("--amount", "0.5", "--amount", "50"), "--amount 50: give the share"),
        (("--kind", "neurons"), "--kind neurons: unknown kind; choose one of magnitude, heads"),
        (("--epochs", "0"), "--epochs 0: give 1 or more"),
        (("--learning-rate", "-1"), "--learning-rate -1: give a number above 0"),
    ],
)
def test_wrong_options_are_told_before_anything_is_read(
    arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke("nowhere", *arguments)
    assert code == 2
    assert text.startswith(f"serbench: {message}")
