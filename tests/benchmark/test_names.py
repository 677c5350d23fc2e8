from __future__ import annotations

import pytest

import serbench
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry


def test_every_method_and_dataset_is_listed() -> None:
    known = load_registry(load_plugins(), strict=False)
    assert [*serbench.methods()["method"]] == [*known.methods]
    assert [*serbench.datasets()["dataset"]] == [*known.datasets]


def test_what_a_corpus_declares_is_told() -> None:
    rows = serbench.datasets().set_index("dataset")
    assert rows.loc["emodb", "utterances"] == 535
    assert rows.loc["emodb", "language"] == "German"
    assert "sadness" in rows.loc["emodb", "classes"]


def test_a_corpus_without_a_card_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Registry.make

    def broken(self: Registry, kind: str, name: str) -> object:
        if name == "emodb":
            raise OSError("a stranger's plugin")
        return make(self, kind, name)

    monkeypatch.setattr(Registry, "make", broken)
    rows = serbench.datasets().set_index("dataset")
    assert rows.loc["emodb"].isna()["title"]
    assert rows.loc["emodb", "summary"]
    assert rows.loc["demo", "utterances"] == 384
