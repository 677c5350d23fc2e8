from __future__ import annotations

import logging
import sys
import warnings

import pytest

from serbench.api import PluginError
from serbench_backends.failures import converting, opening, quiet


def test_what_a_converter_raises_is_told_in_one_line() -> None:
    cannot = r"^X cannot express this model: KeyError: 'aten.fft'$"
    with pytest.raises(PluginError, match=cannot), converting("X"):
        raise KeyError("aten.fft")
    with (
        pytest.raises(PluginError, match=r"^X cannot load this model: AssertionError$"),
        opening("X"),
    ):
        raise AssertionError
    for context in (converting("X"), opening("X")):
        with pytest.raises(PluginError, match=r"^as it is$"), context:
            raise PluginError("as it is")


def test_quiet_keeps_chatter_off_and_leaves_logging_as_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    with quiet():
        print("progress")
        print("progress", file=sys.stderr)
        warnings.warn("old", stacklevel=1)
        logging.warning("an unasked-for note")
    assert capsys.readouterr() == ("", "")
    assert logging.root.handlers == handlers
    assert logging.root.manager.disable == disabled
