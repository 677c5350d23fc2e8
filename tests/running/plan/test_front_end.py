"""What a front end allows of a method's settings."""

from __future__ import annotations

import pytest
from tests_support.front_ends import front_end
from torch import nn

from serbench.api import FrontEnd, FrontEndParams, RegistryError
from serbench.running.plan.front_end import check_front_end
from serbench.settings import AugmentSettings


class Blind(FrontEnd):
    """One row of an utterance, whose values have no order and no known gain."""

    name = "blind"
    Params = FrontEndParams
    width, framing = 3, None

    def build(self) -> nn.Module:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "augment", "told"),
    [
        ("waveform", {"mel_masks": 2}, "augment.mel_masks = 2: front end waveform has no mel"),
        ("blind", {"gain_db": 3.0}, "augment.gain_db = 3: the effect of a gain on the values of"),
        ("blind", {"time_masks": 1}, "augment.time_masks = 1: front end blind gives one row"),
    ],
)
def test_augmentation_that_a_front_end_does_not_allow_is_told(
    name: str, augment: dict[str, float], told: str
) -> None:
    heard = Blind(FrontEndParams()) if name == "blind" else front_end(name)
    quiet = {"time_masks": 0, "mel_masks": 0, "gain_db": 0.0}
    settings = AugmentSettings.model_validate(quiet | augment)
    check_front_end(heard, AugmentSettings.model_validate(quiet), frozenset())
    with pytest.raises(RegistryError) as raised:
        check_front_end(heard, settings, frozenset())
    assert str(raised.value).startswith(told)
    if name == "blind":
        with pytest.raises(RegistryError, match="the loss uses a teacher's frames"):
            check_front_end(heard, AugmentSettings.model_validate(quiet), {"frames"})
