from __future__ import annotations

import pytest

from serbench.api import RegistryError
from serbench.running.registry.validate import validate
from serbench.settings import FeatureSettings, MethodSettings


def test_a_front_end_brings_its_own_defaults() -> None:
    whisper = validate(FeatureSettings, {"kind": "whisper"}, "features")
    assert (whisper.n_mels, whisper.f_min_hz, whisper.f_max_hz) == (80, 0.0, 8000.0)
    assert (whisper.normalise, whisper.channels, whisper.width) == ("none", 1, 80)
    waveform = validate(FeatureSettings, {"kind": "waveform", "hop_s": 0.02}, "features")
    assert (waveform.normalise, waveform.channels, waveform.width) == ("none", 1, 320)
    log_mel = validate(FeatureSettings, {}, "features")
    assert (log_mel.normalise, log_mel.channels, log_mel.width) == ("partition", 3, 40)


def test_what_is_set_wins_over_the_defaults_of_a_front_end() -> None:
    asked = {"kind": "whisper", "n_mels": 128, "normalise": "partition"}
    settings = validate(FeatureSettings, asked, "features")
    assert (settings.n_mels, settings.normalise) == (128, "partition")


@pytest.mark.parametrize("kind", ["log-mel", "whisper", "waveform"])
def test_settings_are_read_back_as_they_were_written(kind: str) -> None:
    settings = FeatureSettings.model_validate({"kind": kind})
    assert FeatureSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"kind": "whisper", "n_mels": 40}, "n_mels = 40 does not fit .* has 80 or 128"),
        ({"kind": "whisper", "hop_s": 0.02}, r"hop_s = 0\.02 does not fit .* leave it out"),
        ({"kind": "whisper", "f_max_hz": 7600.0}, r"f_max_hz = 7600\.0 does not fit"),
        ({"kind": "waveform", "normalise": "partition"}, "normalise = 'partition' does not fit"),
        ({"kind": "waveform", "n_mels": 80}, "n_mels = 80 does not fit"),
        ({"kind": "mfcc"}, "log-mel"),
    ],
)
def test_settings_that_do_not_fit_a_front_end_are_told(asked: dict[str, object], told: str) -> None:
    with pytest.raises(RegistryError, match=told):
        validate(MethodSettings, {"features": asked, "augment": {"mel_masks": 0}}, "methods.m")


def test_a_waveform_has_no_mel_filters_to_mask() -> None:
    asked = {"features": {"kind": "waveform"}}
    with pytest.raises(RegistryError, match=r"^methods\.m: .* set augment\.mel_masks = 0$"):
        validate(MethodSettings, asked, "methods.m")
    for none in ({"mel_masks": 0}, {"mel_mask_bins": 0}):
        assert validate(MethodSettings, {**asked, "augment": none}, "methods.m")
