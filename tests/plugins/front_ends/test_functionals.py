from __future__ import annotations

import sys
from importlib import metadata

import numpy as np
import pytest
import torch

from serbench.api import PluginError
from serbench_front_ends.functionals import UtteranceFunctionals, UtteranceFunctionalsParams


def front_end(name: str) -> UtteranceFunctionals:
    return UtteranceFunctionals(UtteranceFunctionalsParams.model_validate({"set": name}))


def voice(f0_hz: float, level: float = 0.1) -> torch.Tensor:
    """A second of harmonics with a slow tremor."""
    t = np.arange(16_000) / 16_000
    harmonics = sum(np.sin(2 * np.pi * f0_hz * n * t) / n for n in range(1, 20))
    noise = np.random.default_rng(0).normal(0, 1e-3, 16_000)
    return torch.from_numpy(level * (1 + 0.2 * np.sin(8 * t)) * harmonics + noise).float()


def test_egemaps_are_opensmiles_columns_in_their_order() -> None:
    """Pitch is its first value, in semitones above 27.5 Hz; loudness the eleventh."""
    module = front_end("egemaps").build()
    low, high, loud = module(torch.stack([voice(110.0), voice(220.0), voice(110.0, 0.2)]))[:, 0]
    assert len(low) == 88
    assert low[0] == pytest.approx(24.0, abs=0.5)
    assert high[0] == pytest.approx(36.0, abs=0.5)
    assert loud[10] > 1.2 * low[10]


@pytest.mark.parametrize(
    ("name", "name_of_set"), [("egemaps", "eGeMAPSv02"), ("compare", "ComParE_2016")]
)
def test_they_are_what_opensmile_gives_of_a_table(name: str, name_of_set: str) -> None:
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[name_of_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    expected = smile.process_signal(voice(150.0).numpy(), 16_000)
    chosen = front_end(name)
    assert chosen.width == len(expected.columns)
    assert chosen.framing is None
    found = chosen.build()(voice(150.0))[0].numpy()
    np.testing.assert_array_equal(found, expected.to_numpy()[0])


def test_our_own_are_seven_statistics_of_each_contour() -> None:
    """Constant sound: no deviation, no movement, and percentiles that are the mean."""
    found = front_end("own").build()(torch.zeros(16_000))[0].unflatten(0, (7, 41))
    for row in (0, 2, 3, 4):
        np.testing.assert_allclose(found[row], np.log(1e-8), atol=1e-4)
    for row in (1, 5, 6):
        np.testing.assert_allclose(found[row], 0.0, atol=1e-4)


def test_the_licence_is_on_its_card_and_the_version_in_its_digest() -> None:
    chosen = front_end("compare")
    assert chosen.card is not None
    assert "no commercial use" in chosen.card.licence
    assert chosen.card.pretrained_on == ()
    assert chosen.model_digest == f"opensmile:{metadata.version('opensmile')}"
    assert front_end("own").model_digest == ""


def test_without_opensmile_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setitem(sys.modules, "opensmile", None)
    monkeypatch.setattr(metadata, "version", missing)
    line = r'front_end\.set = "egemaps" needs openSMILE, .*pip install .serbench\[opensmile\]'
    with pytest.raises(PluginError, match=line):
        front_end("egemaps").build()
    with pytest.raises(PluginError, match=line):
        _ = front_end("egemaps").model_digest
    front_end("own").build()
