"""What a run learns from and is tested on: names, classes, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from serbench.api import RegistryError
from serbench.running.plan.dataset import DatasetPlan, plan_dataset
from serbench.running.plan.records import RunPlan
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry

OVERLAY = """
[labels.valence]
summary = "pleasant or not"
map = { anger = "negative", sadness = "negative", happiness = "positive", calm = "positive" }

[labels.odd]
map = { boredom = "b", envy = "e" }

[datasets.other]
corpus = "emodb"
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    path = tmp_path_factory.mktemp("dataset") / "overlay.toml"
    path.write_text(OVERLAY)
    return load_registry(load_plugins(), path)


def dataset(
    registry: Registry, evaluated: str, training: Sequence[str] = (), labels: str = ""
) -> DatasetPlan:
    return plan_dataset(registry, evaluated, training, labels, {})


def test_a_corpus_as_it_is_is_described_as_ever(registry: Registry) -> None:
    plan = dataset(registry, "emodb")
    assert (plan.name, plan.folds, plan.labels) == ("emodb", "paper", None)
    described = plan.describe()
    assert list(described) == ["name", "corpus", "params"], "else every run's digest would change"
    assert (described["name"], described["corpus"]) == ("emodb", "emodb")


def test_a_label_map_gives_a_dataset_of_its_own(registry: Registry) -> None:
    plan = dataset(registry, "ravdess", labels="valence")
    assert (plan.name, plan.folds) == ("ravdess-valence", "paper")
    described = plan.describe()
    assert (described["name"], described["evaluated"]) == ("ravdess-valence", "ravdess")
    assert described["label_map"] == {
        "name": "valence",
        "map": {"anger": "negative", "sadness": "negative", "happiness": "positive",
                "calm": "positive"},
    }  # fmt: skip


def test_several_corpora_share_their_classes_by_default(registry: Registry) -> None:
    plan = dataset(registry, "ravdess", ["emodb"])
    assert (plan.name, plan.folds, plan.teachers) == (
        "emodb-to-ravdess", "official", ("wav2vec2-large",),
    )  # fmt: skip
    assert plan.labels is not None
    common = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
    assert tuple(plan.labels.classes) == common == tuple(plan.labels.classes.values())
    assert [part["name"] for part in plan.describe()["training"]] == ["emodb"]  # pyright: ignore[reportGeneralTypeIssues]


def test_several_training_corpora_and_a_map_are_in_the_name(registry: Registry) -> None:
    plan = dataset(registry, "crema-d", ["emodb", "ravdess"], "common-4")
    assert plan.name == "emodb-ravdess-to-crema-d-common-4"
    assert [part.name for part in plan.parts] == ["emodb", "ravdess", "crema-d"]


def test_corpora_with_the_same_classes_need_no_map(registry: Registry) -> None:
    assert dataset(registry, "other", ["emodb"]).labels is None


@pytest.mark.parametrize(
    ("evaluated", "training", "labels", "message"),
    [
        ("emodb", ["emodb"], "", "emodb is named twice"),
        ("emodb", ["ravdess", "ravdess"], "", "ravdess is named twice"),
        ("emodb", [], "common-5", "no label map is called 'common-5'.*'common-4'"),
        ("emodb", [], "odd", "label map odd with emodb: 1 class left"),
        ("emobox", [], "", "kind of corpus, not a corpus: .* params for speaker, labels, card"),
        ("emodb", ["nowhere"], "", "no dataset is called 'nowhere'"),
    ],
)
def test_what_cannot_be_says_why(
    registry: Registry, evaluated: str, training: list[str], labels: str, message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        dataset(registry, evaluated, training, labels)


def test_a_map_of_one_class_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlay.toml"
    path.write_text('[labels.one]\nmap = { anger = "a", fear = "a" }\n')
    with pytest.raises(RegistryError, match=r"overlay\.toml:1.*all labels map to one class"):
        load_registry(load_plugins(), path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("shared", "means the classes that several"), ('"a/b"', "letters, digits, - and _")],
)
def test_a_map_has_a_name_that_folders_can_have(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "overlay.toml"
    path.write_text(f'[labels.{name}]\nmap = {{ anger = "a", fear = "b" }}\n')
    with pytest.raises(RegistryError, match=message):
        load_registry(load_plugins(), path)


def run(registry: Registry, *sets: str) -> RunPlan:
    request = Request("ravdess", ("hybrid",), "quick", sets=sets, train=("emodb",))
    return plan_run(registry, request)


def test_a_run_over_corpora_has_the_folds_of_its_sides(registry: Registry) -> None:
    assert run(registry).folds == "official"
    assert run(registry, "protocol.folds=official").folds == "official"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("protocol.folds=loso", "protocol.folds = loso: .* one fold"),
        ("protocol.name=leaky-random", "protocol leaky-random"),
        ("corpus.dialogues=all", "several corpora; set it for one dataset in serbench.toml"),
    ],
)
def test_settings_of_one_corpus_are_refused_with_several(
    registry: Registry, setting: str, message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        run(registry, setting)
