from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import torch

from serbench.api import import_torchaudio
from serbench.api.torchaudio_compat import stand_in


@pytest.fixture
def torchaudio_forgotten() -> Iterator[None]:
    """Let a test import torchaudio as if for the first time."""

    def ours() -> list[str]:
        return [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]

    kept = {name: sys.modules.pop(name) for name in ours()}
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(kept)


def test_import_is_idempotent_and_is_what_import_finds() -> None:
    first = import_torchaudio()
    assert import_torchaudio() is first
    assert sys.modules["torchaudio"] is first


def test_log_mel_works_without_the_extension() -> None:
    transform = import_torchaudio().transforms.MelSpectrogram(16_000, n_fft=400, n_mels=40)
    mel = transform(torch.sin(2 * np.pi * 1000 / 16_000 * torch.arange(16_000)))
    assert mel.shape == (40, 81)
    assert mel.mean(1).argmax() == 13  # HTK: 1 kHz is 1000 mel; centres are (k + 1) 2840 / 41


def test_masks_and_speed_perturbation_work_without_the_extension() -> None:
    transforms = import_torchaudio().transforms
    masked = transforms.TimeMasking(20)(torch.ones(1, 40, 100))
    assert masked.shape == (1, 40, 100)
    faster, _ = transforms.SpeedPerturbation(16_000, [2.0])(torch.ones(1, 16_000))
    assert abs(faster.shape[1] - 8_000) < 10


def test_stand_in_names_the_function_that_needs_the_extension() -> None:
    def forced_align() -> None: ...

    with pytest.raises(RuntimeError, match="forced_align needs torchaudio's C"):
        stand_in().__dict__["fail_if_no_align"](forced_align)()


def test_other_import_errors_are_not_hidden(
    monkeypatch: pytest.MonkeyPatch, torchaudio_forgotten: None
) -> None:
    def broken(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ImportError, match="torchaudio"):
        import_torchaudio()


def test_failed_second_import_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, torchaudio_forgotten: None
) -> None:
    def unloadable(name: str) -> ModuleType:
        raise OSError(name)

    monkeypatch.setattr(importlib, "import_module", unloadable)
    with pytest.raises(OSError, match="torchaudio"):
        import_torchaudio()
    assert not [name for name in sys.modules if name.startswith("torchaudio")]


def test_first_import_from_several_threads_gives_one_module() -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from serbench.api.torchaudio_compat import import_torchaudio\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    found = list(pool.map(lambda _: import_torchaudio(), range(8)))\n"
        "import torchaudio\n"
        "assert {id(m) for m in found} == {id(torchaudio)}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
