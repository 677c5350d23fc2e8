from __future__ import annotations

import json
from typing import Any

import pytest

from serbench.api import RegistryError
from serbench.errors import TeacherError
from serbench.running.plan.records import RunPlan, digest_of
from serbench.running.plan.request import Request
from serbench.running.plan.suite import NEEDS_TEACHER, plan_suite
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench_baselines.transformer import Transformer

PLUGINS = load_plugins()

OVERLAY = """
[students.tiny]
plugin = "transformer"
params = { dim = 16, layers = 1 }

[methods.one]
summary = "s"
student = "tiny"
loss = "ce"
settings = { training = { epochs = 3 } }
[methods.one.profiles.few.training]
epochs = 2

[methods.two]
summary = "s"
student = "tiny"
loss = "ce"

[methods.taught]
summary = "s"
student = "tiny"
loss = "kd"

[methods.slow]
summary = "s"
student = "transformer"
loss = "ce"

[profiles.plain]
summary = "s"

[profiles.few]
summary = "s"

[suites.all]
summary = "s"
methods = ["slow", "two", "taught", "one"]
left_out = { slow = "takes days" }
notes = ["a note"]
claims = [
    { method = "one", dataset = "demo", ua = 90.0, source = "p", protocol = "q", leaks = ["R"] },
    { method = "one", dataset = "emodb", ua = 91.0, source = "p", protocol = "q" },
    { method = "slow", dataset = "demo", wa = 92.0, source = "p", protocol = "q" },
]
[suites.all.datasets.demo.methods]
one = { settings = { training = { epochs = 7, batch_size = 8 } } }
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    overlay = tmp_path_factory.mktemp("suite") / "overlay.toml"
    overlay.write_text(OVERLAY)
    return load_registry(PLUGINS, overlay)


def plan(
    registry: Registry, *methods: str, only: tuple[str, ...] = (), skip: bool = False, **more: Any
) -> RunPlan:
    fields: dict[str, Any] = {"dataset": "demo", "profile": "plain"} | more
    return plan_suite(registry, "all", Request(methods=methods, **fields), only, skip_missing=skip)


def names(made: RunPlan) -> list[str]:
    return [method.name for method in made.methods]


def left_out(made: RunPlan) -> dict[str, str]:
    assert made.suite is not None
    return dict(made.suite.left_out)


def test_a_suite_runs_in_its_order_and_says_what_it_leaves_out(registry: Registry) -> None:
    made = plan(registry)
    assert names(made) == ["two", "one"]
    assert left_out(made) == {"slow": "takes days", "taught": NEEDS_TEACHER}
    assert made.suite is not None
    assert made.suite.methods == ("slow", "two", "taught", "one")
    assert [claim.method for claim in made.suite.claims] == ["one", "slow"]


def test_what_is_named_is_run(registry: Registry) -> None:
    assert names(plan(registry, "slow", "transformer")) == ["slow", "two", "one", "transformer"]
    assert names(plan(registry, teachers=("functionals",))) == ["two", "taught", "one"]
    only = plan(registry, only=("one", "slow"))
    assert names(only) == ["slow", "one"]
    assert left_out(only) == {}
    with pytest.raises(RegistryError, match="suite all has no method 'onee'; did you mean 'one'"):
        plan(registry, only=("onee",))


def test_what_a_dataset_changes_lies_under_profile_and_set(registry: Registry) -> None:
    def trained(**more: Any) -> tuple[int, int]:
        training = plan(registry, **more).method("one").candidates[0].settings.training
        return training.epochs, training.batch_size

    assert trained() == (7, 8)
    assert trained(profile="few") == (2, 8)
    assert trained(sets=("training.batch_size=4",)) == (7, 4)
    assert trained(dataset="emodb") == (3, 32)


def test_claims_are_of_the_whole_corpus_with_its_own_classes(registry: Registry) -> None:
    assert plan(registry, dataset="EmoDB").suite.claims[0].ua == 91.0  # pyright: ignore[reportOptionalMemberAccess]
    other = plan(registry, dataset="emodb", labels="common-4")
    assert other.suite is not None
    assert other.suite.claims == ()


def test_the_plan_holds_the_suite_as_json(registry: Registry) -> None:
    described = plan(registry).describe()
    suite = json.loads(json.dumps(described))["suite"]
    assert suite["left_out"] == {"slow": "takes days", "taught": NEEDS_TEACHER}
    assert suite["claims"][0] == {
        "method": "one", "dataset": "demo", "wa": None, "ua": 90.0, "source": "p",
        "protocol": "q", "leaks": ["R"],
    }  # fmt: skip
    assert suite["notes"] == ["a note"]
    assert plan(registry, profile="few").describe()["suite"]["notes"] == (  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType]
        "a note",
        "Trained for less than published, by profile or --set: one 2 of 7 epochs.",
    )
    assert digest_of(described) == digest_of(json.loads(json.dumps(described)))


def test_all_that_cannot_run_is_told_before_anything_is_trained(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(student: Transformer) -> str:
        if student.params.dim == 16:  # pyright: ignore[reportAttributeAccessIssue]
            raise TeacherError("no weights (a reason). Fetch them so")
        return ""

    monkeypatch.setattr(Transformer, "model_digest", property(digest))
    with pytest.raises(RegistryError) as told:
        plan(registry)
    assert str(told.value).splitlines()[1:] == [
        "  two: no weights (a reason). Fetch them so",
        "  one: no weights (a reason). Fetch them so",
    ]
    assert "--skip-missing" in str(told.value)
    sets = ("methods.one.training.epochs=2",)
    made = plan(registry, "slow", skip=True, sets=sets)
    assert names(made) == ["slow"]
    assert left_out(made)["one"] == "no weights"
    with pytest.raises(RegistryError) as told:
        plan(registry, only=("one",), skip=True)
    assert str(told.value) == "no method of suite all is left to run:\n  one: no weights"
