from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from serbench.api import StoreError
from serbench.api.offline import is_offline, offline
from serbench.running.plugins import load_plugins
from serbench.running.registry.schema import DatasetSpec, PluginSpec
from serbench.running.replay.local import local_corpus, local_teacher

PLUGINS = load_plugins()
URL = "http://example.org/planted.zip"


def registry(**entries: Mapping[str, object]) -> Any:
    return SimpleNamespace(**{"datasets": {}, "teachers": {}, **entries})


def test_numbers_and_choices_are_the_runs() -> None:
    stored = {"name": "mine", "corpus": "demo", "params": {"speakers": 4, "takes": 1, "seed": 3}}
    here = registry(datasets={"mine": DatasetSpec(corpus="demo", params={"takes": 2})})
    made = local_corpus(here, PLUGINS, stored)
    assert made.params.model_dump() == {"speakers": 4, "takes": 1, "seed": 3}


def test_an_address_is_the_registrys() -> None:
    stored = {"name": "emodb", "corpus": "emodb", "params": {"url": URL}}
    here = registry(datasets={"emodb": DatasetSpec(corpus="emodb")})
    assert URL not in {source.url for source in local_corpus(here, PLUGINS, stored).sources()}
    with pytest.raises(StoreError, match=r"no corpus emodb\. .*\(url\) are not used"):
        local_corpus(registry(), PLUGINS, stored)


def test_a_corpus_that_the_registry_does_not_describe_is_refused() -> None:
    params = {"pattern": ".*", "labels": {}, "card": {"sources": [{"url": URL}]}}
    stored = {"name": "evil", "corpus": "files", "params": params}
    with pytest.raises(StoreError, match=r"describe the corpus as \[datasets\.evil\]"):
        local_corpus(registry(), PLUGINS, stored)


def test_another_plugin_than_the_registrys_is_not_used() -> None:
    stored = {"name": "mine", "corpus": "files", "params": {"takes": 1}}
    here = registry(datasets={"mine": DatasetSpec(corpus="demo")})
    assert local_corpus(here, PLUGINS, stored).name == "demo"


def test_weights_are_the_registrys_and_the_layer_is_the_runs() -> None:
    stored = {"plugin": "speech-encoder", "params": {"model": "/planted", "layer": 9}}
    spec = PluginSpec(plugin="speech-encoder", params={"model": "/mine"})
    made = local_teacher(registry(teachers={"hubert": spec}), PLUGINS, "hubert@9", stored)
    assert (made.params.model, made.params.layer) == ("/mine", 9)
    with pytest.raises(StoreError, match=r"no teacher weights\. .*\(model\) are not used"):
        local_teacher(registry(), PLUGINS, "weights", stored)


def test_a_number_that_the_corpus_here_does_not_take_is_named() -> None:
    stored = {"name": "mine", "corpus": "demo", "params": {"speakers": 3}}
    here = registry(datasets={"mine": DatasetSpec(corpus="demo")})
    with pytest.raises(StoreError, match="does not accept speakers: Input should be greater"):
        local_corpus(here, PLUGINS, stored)


def test_offline_ends_with_its_block() -> None:
    with offline():
        assert is_offline()
    assert not is_offline()
