from __future__ import annotations

import pytest
from tests_support.deployments import Deployed, deployment


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deployment(tmp_path_factory)
