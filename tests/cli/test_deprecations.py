from __future__ import annotations

import warnings

import pytest

from serbench.api.version import deprecated
from serbench.cli.deprecations import tell_deprecations_once


@deprecated("use new", until="9.1")
def old() -> None:
    pass


def test_it_is_told_once_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        tell_deprecations_once()
        for _ in range(3):
            old()
        old()
    (line,) = capsys.readouterr().err.splitlines()
    told = "serbench: old will be removed in version 9.1 of serbench.api: use new ("
    assert line.startswith(told)
    assert "test_deprecations.py:" in line


def test_other_warnings_look_as_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: told.append(str(message)))
        tell_deprecations_once()
        warnings.warn("else", UserWarning, stacklevel=1)
    assert told == ["else"]
