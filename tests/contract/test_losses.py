from __future__ import annotations

import pytest

from serbench.running.plugins import Provided, load_plugins
from serbench.testing import check_loss


@pytest.mark.parametrize("loss", load_plugins().items("losses"), ids=lambda item: item.name)
def test_every_loss_keeps_its_contract(loss: Provided) -> None:
    check_loss(loss.cls)
