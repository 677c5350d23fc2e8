"""What else datasets are called, and what is said of a name that is none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from serbench.api import RegistryError
from serbench.running.plan.dataset import plan_dataset
from serbench.running.plugins import Plugins, load_plugins
from serbench.running.registry.aliases import alias_key, called, nearest, shared
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry, entries
from serbench_corpora.demo import Demo

OTHER_NAMES = {
    # EmoBox's folders
    "cremad": "crema-d", "emovdb": "emov-db", "enterface": "enterface05", "jlcorpus": "jl-corpus",
    "msppodcast": "msp-podcast",
    # Hugging Face's and TensorFlow's
    "narad/ravdess": "ravdess", "AbstractTTS/IEMOCAP": "iemocap", "amu-cai/nEMO": "nemo",
    "Zahra99/IEMOCAP_Audio": "iemocap", "CLAPv2/EmoV_DB": "emov-db", "crema_d": "crema-d",
    # as papers write them
    "emo-db": "emodb", "EmoDB": "emodb", "Berlin EmoDB": "emodb", "CREMA-D": "crema-d",
    "iemocap4": "iemocap", "eNTERFACE'05": "enterface05", "JL Corpus": "jl-corpus",
    "CMU-MOSEI": "cmu-mosei", "mosei": "cmu-mosei", "RAVDESS": "ravdess",
    "eNTERFACE": "enterface05",
}  # fmt: skip


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture(scope="module")
def registry(plugins: Plugins) -> Registry:
    return load_registry(plugins, Path(__file__).parents[3] / "registry.toml")


@pytest.mark.parametrize(("name", "dataset"), OTHER_NAMES.items())
def test_the_field_s_names_for_a_corpus_are_understood(
    registry: Registry, name: str, dataset: str
) -> None:
    assert registry.dataset_name(name) == dataset
    assert registry.dataset(name) is registry.datasets[dataset]
    assert registry.make("corpora", name).card == registry.make("corpora", dataset).card
    assert plan_dataset(registry, name, (), "", {}).name == dataset
    assert list(entries(registry, f"datasets.{name}")["datasets"]) == [dataset]


def test_no_alias_of_the_packaged_registry_is_a_name_or_another_one_s(registry: Registry) -> None:
    keys = [alias_key(name) for name in registry.aliases]
    keys += [alias_key(other) for names in registry.aliases.values() for other in names]
    assert sorted(set(keys)) == sorted(keys)


def test_corpora_are_named_once_whatever_they_are_called(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="emodb is named twice"):
        plan_dataset(registry, "emodb", ["Emo-DB"], "", {})


def test_what_a_dataset_is_called_comes_before_what_another_is_called_too() -> None:
    aliases = {"enterface05": ("enterface",), "enterface": (), "mine": ("Other-1",)}
    assert called("enterface", aliases) == "enterface"
    assert called("ENTERFACE", aliases) == "enterface"
    assert called("other_1", aliases) == "mine"
    assert called("nobody", aliases) is None
    assert called("/", {"-": ()}) is None


def test_a_name_that_two_datasets_have_but_for_separators_is_refused() -> None:
    aliases = {"emo-db": (), "emodb": (), "a": ("x",), "b": ("X",)}
    assert called("emo-db", aliases) == "emo-db"
    for name, both in (("EmoDB", "emo-db or emodb"), ("x", "a or b")):
        with pytest.raises(RegistryError, match=f"{name!r} may be {both}; write one of them"):
            called(name, aliases)
    assert list(shared(aliases)) == [("b", "X", "a")]


def test_one_alias_of_two_datasets_is_an_error_of_the_registry(
    plugins: Plugins, tmp_path: Path
) -> None:
    overlay = tmp_path / "o.toml"
    overlay.write_text('[datasets.mine]\ncorpus = "emodb"\naliases = ["Ber-lin"]\n')
    with pytest.raises(RegistryError, match=r"o.toml:3: .*'Ber-lin' is also an alias of emodb"):
        load_registry(plugins, overlay)


def test_a_plugin_may_have_aliases(
    plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Demo, "aliases", ("synthetic-demo",))
    registry = load_registry(plugins, Path(__file__).parents[3] / "registry.toml")
    assert registry.dataset_name("Synthetic demo") == "demo"
    monkeypatch.setattr(Demo, "aliases", 3)
    with pytest.raises(RegistryError, match="no dataset is called 'Synthetic demo'"):
        registry.dataset_name("Synthetic demo")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ravdes", "; did you mean 'ravdess'"),
        ("enterfac", "; did you mean 'enterface05'?"),
        ("Berlin Database of Emotional Speech", "; did you mean 'emodb'?"),
        ("IEMOCAP sessions 1-4", "; did you mean 'iemocap'"),
        ("xyz", "; `serbench list datasets` shows all 2"),
    ],
)
def test_a_name_that_is_none_is_told_with_what_may_be_meant(
    registry: Registry, name: str, said: str
) -> None:
    assert nearest(name, registry.aliases).startswith(said)
    with pytest.raises(RegistryError, match="no dataset is called"):
        registry.make("corpora", name)
