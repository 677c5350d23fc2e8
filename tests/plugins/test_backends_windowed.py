from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from serbench.api import PluginError, Waveforms
from serbench_backends.windowed import converting, imported, missing, opening, over_windows, quiet


def cut(waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
    windows = waveform.reshape(-1, 4)
    return windows, np.arange(len(windows)) + 10


def test_each_window_is_run_alone_and_an_utterance_is_their_mean() -> None:
    seen = []

    def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
        seen.append((window.shape, length.tolist()))
        share = window.mean()
        return np.array([[share, 1 - share]], dtype=np.float32)

    model = SimpleNamespace(windows=cut)
    waveforms = np.stack([np.repeat([0.0, 1.0, 0.5], 4), np.full(12, 0.25)]).astype(np.float32)
    posteriors = over_windows(model, predict)(waveforms)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(posteriors, [[0.5, 0.5], [0.25, 0.75]])
    assert posteriors.dtype == np.float32
    assert seen == [((1, 4), [10]), ((1, 4), [11]), ((1, 4), [12])] * 2


def test_a_missing_package_is_named_with_its_use_and_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gone" else object()
    )
    assert missing("X", "x", {"here": "the runtime"}) is None
    assert missing("X", "x", {"here": "the runtime", "gone": "the converter"}) == (
        "the converter of X is not installed (no module gone): pip install 'serbench[x]'"
    )


@pytest.mark.parametrize("error", [ImportError("no parent"), ValueError("__spec__ is None")])
def test_a_package_that_cannot_be_looked_for_is_missing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(_: str) -> object:
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert missing("X", "x", {"a.b": "the runtime"}) is not None


def test_a_broken_package_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "raise OSError('libthing.so: cannot open\\nand more')\n"
    (tmp_path / "broken_runtime.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as caught:
        imported("broken_runtime")
    assert str(caught.value) == (
        "broken_runtime cannot be imported: OSError: libthing.so: cannot open"
    )


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
