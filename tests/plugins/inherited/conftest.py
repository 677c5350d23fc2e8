from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support.encoders import save


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders with tiny random encoders, made once each; tests must not change them."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return make
