from __future__ import annotations

import pytest
import torch
from serbench.testing import Check, front_end_checks

from serbench_placeholder.front_end import Placeholder


@pytest.mark.parametrize("check", [*front_end_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_ten_times_louder_is_20_db_more() -> None:
    frames = Placeholder(Placeholder.Params()).build()
    noise = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    more = frames(10 * noise) - frames(noise)
    torch.testing.assert_close(more, torch.full((50, 8), 20.0), atol=0.01, rtol=0)
