from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.cache_maker import CacheMaker


@pytest.fixture
def cache(tmp_path: Path) -> CacheMaker:
    (tmp_path / "cache").mkdir()
    return CacheMaker((tmp_path / "cache").resolve())
