from __future__ import annotations

import pytest

from serbench.plugins import Provided, load_plugins
from serbench.testing import check_backend


@pytest.mark.parametrize("backend", load_plugins().items("backends"), ids=lambda item: item.name)
def test_every_backend_keeps_its_contract(backend: Provided) -> None:
    reason = check_backend(backend.cls)
    if reason is not None:
        pytest.skip(reason)
