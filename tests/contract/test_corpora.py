from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests_support.contracts import each_check

from serbench.api import Corpus
from serbench.running.plugins import Provided, load_plugins
from serbench.testing import Check, check_corpus, corpus_card_checks

CORPORA = load_plugins().items("corpora")
SMALL = {"speakers": 4, "takes": 1}
"""Where a synthetic corpus can be made smaller, it is built in less time."""


def described(item: Provided) -> bool:
    """Whether it is nothing without a registry entry; each entry is then tested by its own."""
    fields = item.cls.Params.model_fields  # pyright: ignore[reportAttributeAccessIssue]
    return any(field.is_required() for field in fields.values())


WHOLE = [item for item in CORPORA if not described(item)]
every_corpus = pytest.mark.parametrize("corpus", WHOLE, ids=lambda item: item.name)


def synthetic(item: Provided) -> bool:
    return item.cls.build is not Corpus.build  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("check", each_check((c.name, corpus_card_checks(c.cls)) for c in WHOLE))
def test_the_card_agrees_with_itself(check: Check) -> None:
    check()


@pytest.mark.parametrize("corpus", [*filter(synthetic, WHOLE)], ids=lambda item: item.name)
def test_a_synthetic_corpus_keeps_its_contract(corpus: Provided, tmp_path: Path) -> None:
    fields = corpus.cls.Params.model_fields  # pyright: ignore[reportAttributeAccessIssue]
    small = {key: value for key, value in SMALL.items() if key in fields}
    check_corpus(corpus.cls, tmp_path / corpus.name, small)


@pytest.mark.real
@every_corpus
def test_a_real_copy_keeps_its_contract(corpus: Provided) -> None:
    shared = os.environ.get("SERBENCH_TEST_SHARED")
    if shared is None:
        pytest.skip("SERBENCH_TEST_SHARED names no folder with real corpora")
    folder = Path(shared) / "corpora" / corpus.name
    if not folder.is_dir():
        pytest.skip(f"there is no copy of {corpus.name} in {folder.parent}")
    check_corpus(corpus.cls, folder)
