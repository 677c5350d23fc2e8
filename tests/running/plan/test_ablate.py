from __future__ import annotations

from typing import Any

import pytest

from serbench.api import RegistryError
from serbench.running.plan.ablate import plan_ablation
from serbench.running.plan.ablation import Ablation
from serbench.running.plan.records import RunPlan, digest_of
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry

PLUGINS = load_plugins()

OVERLAY = """
[students.small]
plugin = "transformer"
params = { dim = 16, layers = 1, heads = 2 }

[methods.full]
summary = "s"
student = "small"
loss = "akd"
student_params = { dropout = 0.2 }
loss_params = { lambda_angle = 0.0, lambda_hint = 0.5 }
settings = { training = { epochs = 11 } }
[methods.full.grids.g]
"loss.k" = [1.0, 2.0]
"student.dropout" = [0.1, 0.3]

[methods.other]
summary = "s"
student = "small"
loss = "ce"

[methods.twin]
summary = "s"
student = "small"
loss = "akd"
student_params = { dropout = 0.2 }
loss_params = { lambda_angle = 0.0, lambda_hint = 0.5 }
settings = { training = { epochs = 11 } }

[profiles.plain]
summary = "s"

[profiles.search]
summary = "s"
settings = { training = { epochs = 3 }, head = { soft_targets = "cross-fit" } }
protocol = { search = "g" }

[ablations.full]
summary = "What it is made of"
[ablations.full.parts.models]
title = "Models"
[ablations.full.parts.models.rows]
teacher = { label = "Teacher", teacher = true }
labels = { label = "Labels alone", method = "other" }
same = { label = "Twin", method = "twin" }
all = { label = "All of it", method = "full" }
tiny = { label = "Tiny", student = "hybrid-tiny" }
labels-too = { label = "Labels too", loss = "kd", loss_params = { alpha = 0.9 } }
[ablations.full.parts.terms]
title = "Terms"
[ablations.full.parts.terms.rows]
no-k = { label = "without kl", loss_params = { k = 0.0 } }
no-angle = { label = "without angle", loss_params = { lambda_angle = 0.0 } }
mean = { label = "without weights", loss_params = { adaptive_weights = false }, needs_teachers = 2 }
in-sample = { label = "in-sample", settings = { head = { soft_targets = "in-sample" } } }
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    overlay = tmp_path_factory.mktemp("plan") / "overlay.toml"
    overlay.write_text(OVERLAY)
    return load_registry(PLUGINS, overlay)


def plan(registry: Registry, *only: str, **more: Any) -> RunPlan:
    fields: dict[str, Any] = {"dataset": "demo", "methods": (), "profile": "plain"} | more
    return plan_ablation(registry, "full", Request(**fields), only)


def ablation(made: RunPlan) -> Ablation:
    assert made.ablation is not None
    return made.ablation


def names(made: RunPlan) -> list[str]:
    return [method.name for method in made.methods]


def params(made: RunPlan, name: str) -> dict[str, Any]:
    return made.method(name).candidates[0].loss.params.model_dump()


def test_each_row_is_a_method_of_one_run_the_full_one_first(registry: Registry) -> None:
    made = plan(registry)
    assert names(made) == [
        "full", "other", "full:tiny", "full:labels-too", "full:no-k", "full:in-sample",
    ]  # fmt: skip
    assert ablation(made).method == "full"
    assert ablation(made).parts == {"models": "Models", "terms": "Terms"}
    assert [row.name for row in ablation(made).rows] == [
        "teacher", "labels", "same", "all", "tiny", "labels-too",
        "no-k", "no-angle", "mean", "in-sample",
    ]  # fmt: skip


def test_a_row_differs_in_what_it_says_alone(registry: Registry) -> None:
    made = plan(registry)
    assert params(made, "full:no-k") == params(made, "full") | {"k": 0.0}
    students = [made.method(name).candidates[0].student for name in ("full", "full:no-k")]
    assert students[0].params.model_dump() == students[1].params.model_dump()
    tiny = made.method("full:tiny")
    assert (tiny.student, tiny.loss) == ("hybrid-tiny", "akd")
    assert params(made, "full:tiny") == params(made, "full")
    assert tiny.candidates[0].settings == made.method("full").candidates[0].settings
    assert params(made, "full:labels-too")["alpha"] == 0.9
    heads = {m.name: m.candidates[0].settings.head.soft_targets for m in made.methods}
    assert heads.pop("full:in-sample") == "in-sample"
    assert set(heads.values()) == {"cross-fit"}


def test_a_row_that_would_be_the_full_method_is_not_run_and_says_why(registry: Registry) -> None:
    rows = {row.name: row for row in ablation(plan(registry)).rows}
    assert rows["no-angle"].same == "the same as full, which has loss.lambda_angle = 0.0"
    assert rows["mean"].same == "the same as full with 1 teacher"
    assert rows["same"].same == "the same as full"
    assert [rows[name].method for name in ("no-angle", "mean", "same")] == ["", "", ""]
    assert (rows["all"].same, rows["all"].method) == ("", "full")
    assert rows["no-k"].changes == ("loss.k = 0.0",)


def test_what_makes_a_row_the_full_method_is_what_is_in_force(registry: Registry) -> None:
    set_on = plan(registry, sets=("loss.lambda_angle=1.0",))
    assert "full:no-angle" in names(set_on)
    assert params(set_on, "full:no-angle")["lambda_angle"] == 0.0
    set_off = plan(registry, sets=("loss.k=0.0",))
    assert "full:no-k" not in names(set_off)
    both = plan(registry, teachers=("functionals", "whisper-tiny"))
    assert "full:mean" in names(both)
    assert params(both, "full:mean")["adaptive_weights"] is False


def test_a_row_goes_over_the_profile_and_over_shared_settings(registry: Registry) -> None:
    sets = ("head.soft_targets=cross-fit", "methods.full.training.epochs=7", "loss.k=4.0")
    made = plan(registry, profile="search", sets=sets)
    row = made.method("full:in-sample").candidates[0].settings
    assert (row.head.soft_targets, row.training.epochs) == ("in-sample", 7)
    assert params(made, "full:no-k")["k"] == 0.0
    assert params(made, "full:in-sample")["k"] == 4.0
    other = made.method("other").candidates[0].settings
    assert (other.head.soft_targets, other.training.epochs) == ("cross-fit", 3)


def test_what_is_set_for_a_row_goes_over_all_else(registry: Registry) -> None:
    sets = ("methods.full:no-k.loss.k=0.1", "methods.full:no-k.training.epochs=2")
    made = plan(registry, sets=sets)
    assert params(made, "full:no-k")["k"] == 0.1
    epochs = {m.name: m.candidates[0].settings.training.epochs for m in made.methods}
    assert (epochs["full"], epochs["full:no-k"]) == (11, 2)


def test_what_is_set_for_the_full_method_stays_with_the_part_it_is_of(registry: Registry) -> None:
    sets = ("methods.full.student.layers=3", "methods.full.loss.lambda_hint=0.7")
    made = plan(registry, sets=sets)
    assert made.method("full:no-k").candidates[0].student.params.model_dump()["layers"] == 3
    assert "layers" not in made.method("full:tiny").candidates[0].student.params.model_dump()
    assert params(made, "full:tiny")["lambda_hint"] == 0.7
    assert "lambda_hint" not in params(made, "full:labels-too")


def test_a_row_has_the_full_methods_grid_but_for_what_it_decides(registry: Registry) -> None:
    made = plan(registry, profile="search")
    paths = {m.name: sorted(m.candidates[0].values) for m in made.methods}
    assert paths["full"] == ["loss.k", "student.dropout"]
    assert paths["full:in-sample"] == ["loss.k", "student.dropout"]
    assert paths["full:no-k"] == ["student.dropout"]
    assert paths["full:tiny"] == ["loss.k"]
    assert paths["full:labels-too"] == ["student.dropout"]


def test_rows_can_be_chosen_and_the_full_method_is_always_run(registry: Registry) -> None:
    made = plan(registry, "in-sample", "no-k", "no-k")
    assert names(made) == ["full", "full:no-k", "full:in-sample"]
    assert [row.name for row in ablation(made).rows] == ["no-k", "in-sample"]
    assert ablation(made).parts == {"terms": "Terms"}
    with pytest.raises(RegistryError, match="ablation full has no row 'no-q'; did you mean 'no-k'"):
        plan(registry, "no-q")


def test_a_row_is_a_method_of_any_run(registry: Registry) -> None:
    made = plan_run(registry, Request("demo", ("other", "full:no-k"), "plain"))
    assert names(made) == ["other", "full:no-k"]
    assert made.ablation is None
    rows = plan(registry).method("full:no-k")
    assert made.method("full:no-k").candidates[0].loss.params == rows.candidates[0].loss.params


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full:no-q", "ablation full has no row 'no-q'"),
        ("ful:no-k", "no ablation is called 'ful'"),
        ("full:labels", "full:labels is the method other; name this method"),
        ("full:teacher", "full:teacher is the teachers' own heads"),
    ],
)
def test_a_name_that_is_no_row_is_told(registry: Registry, name: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        plan_run(registry, Request("demo", (name,), "plain"))


def test_the_plan_says_what_it_is_an_ablation_of(registry: Registry) -> None:
    made = plan(registry)
    described = made.describe()
    assert described["ablation"]["method"] == "full"  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType]
    plain = plan_run(registry, Request("demo", tuple(names(made)), "plain")).describe()
    assert "ablation" not in plain
    assert described == plain | {"ablation": described["ablation"]}
    assert digest_of(described) != digest_of(plan(registry, "no-k").describe())


def test_a_canary_sings_for_the_rows_that_are_run(registry: Registry) -> None:
    made = plan(registry, sets=("protocol.canary=3",))
    assert made.canary is not None
    assert names(made.canary) == names(made)


def test_a_protocol_that_is_broken_on_purpose_has_no_ablation(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="leaky-random is broken on purpose"):
        plan(registry, sets=("protocol.name=leaky-random",))


def test_every_row_of_akd_can_be_planned_on_one_teacher_and_on_two() -> None:
    packaged = load_registry(PLUGINS)
    one = plan_ablation(packaged, "akd", Request("demo", (), "standard"))
    two = plan_ablation(
        packaged, "akd", Request("demo", (), "paper", ("functionals", "whisper-tiny"))
    )
    weights = "akd:no-adaptive-weights"
    assert weights not in names(one)
    assert weights in names(two)
    models = {"akd", "akd:transformer-akd", "akd:mha-akd", "transformer", "hybrid", "vanilla-kd"}
    assert models <= set(names(one))
    assert one.method("akd:transformer-akd").student == "transformer"
    soft = params(one, "akd:soft-targets")
    assert (soft["lambda_hint"], soft["alpha"], soft["beta"], soft["gate_kl"]) == (0, 0, "one", 0)
    assert "akd:beta-paper" in names(one)
