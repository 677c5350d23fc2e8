from __future__ import annotations

from pathlib import Path

import pytest

from serbench.api import RegistryError
from serbench.running.plugins import load_plugins
from serbench.running.registry.ablations import row_changes, row_method
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry, entries
from serbench.running.registry.schema import MethodSpec, RowSpec
from serbench.running.registry.toml_text import dump_toml

PLUGINS = load_plugins()
ROWS = """\
[ablations.vanilla-kd]
summary = "s"
[ablations.vanilla-kd.parts.one]
title = "One"
[ablations.vanilla-kd.parts.one.rows]
"""
GOOD = 'hot = { label = "Hot", loss_params = { temperature = 8.0 } }\n'


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str) -> Registry:
    Path("o.toml").write_text(text, encoding="utf-8")
    return load_registry(PLUGINS, Path("o.toml"))


def errors(text: str) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        load(text)
    lines = [line.strip() for line in str(caught.value).split("\n")]
    return lines[1:] if "errors in the registry" in lines[0] else lines


def test_akd_has_the_eight_rows_of_table_4_each_term_and_each_kind_of_soft_target() -> None:
    spec = load_registry(PLUGINS).ablation("akd")
    assert list(spec.parts) == ["table-4", "terms", "distillation"]
    assert len(spec.parts["table-4"].rows) == 8
    terms = {path for row in spec.parts["terms"].rows.values() for path, _ in row_changes(row)}
    assert terms >= {
        ("loss", "adaptive_weights"), ("loss", "k"), ("loss", "lambda_angle"),
        ("loss", "lambda_hint"), ("loss", "gate_kl"), ("loss", "alpha"), ("loss", "beta"),
        ("head", "soft_targets"),
    }  # fmt: skip
    kinds = [dict(row_changes(row)) for row in spec.parts["distillation"].rows.values()]
    assert all(("loss", "unlabelled") in kind or kind["loss", "k"] == 1.0 for kind in kinds)
    assert {path for kind in kinds for path in kind} >= {
        ("loss", "divergence"), ("loss", "standardise"), ("loss", "correct_targets"),
        ("loss", "temperature"), ("loss", "adaptive_weights"), ("loss", "unlabelled"),
        ("augment", "crops"),
    }  # fmt: skip


def test_what_is_shown_can_be_laid_over_again() -> None:
    shown = entries(load(ROWS + GOOD), "ablations")
    assert entries(load(dump_toml(shown)), "ablations") == shown


def test_an_overlay_adds_and_changes_rows_key_by_key() -> None:
    spec = load(
        "[ablations.akd.parts.terms.rows.no-hint]\nlabel = 'No hint'\n"
        "[ablations.akd.parts.terms.rows.cold]\nlabel = 'T = 1'\nloss_params.temperature = 1.0\n"
    ).ablation("akd")
    assert spec.rows["no-hint"] == RowSpec(label="No hint", loss_params={"lambda_hint": 0.0})
    assert list(spec.parts["terms"].rows)[-1] == "cold"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[ablations.akd.parts.terms.rows]\nx = { label = 'x', loss_params = { k_ = 1 } }",
            "o.toml:2: ablations.akd.parts.terms.rows.x.loss_params.k_: unknown key; "
            "did you mean 'k'?",
        ),
        (
            ROWS + "x = { label = 'x', student = 'hybrid-tny' }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.student: nothing in [students] is "
            "called 'hybrid-tny'; did you mean 'hybrid-tiny'?",
        ),
        (
            ROWS + "x = { label = 'x', loss = 'akdd' }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.loss: nothing in [losses] is "
            "called 'akdd'; did you mean 'akd'?",
        ),
        (
            ROWS + "x = { label = 'x', method = 'hybird' }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.method: no method is called "
            "'hybird'; did you mean 'hybrid'?",
        ),
        (
            ROWS + "x = { label = 'x', settings = { training = { epoch = 2 } } }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.settings.training.epoch: unknown "
            "key; did you mean 'epochs'?",
        ),
        (
            ROWS + "x = { label = 'x', loss_params = { temperature = -1 } }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.loss_params.temperature: should be "
            "greater than 0, not -1",
        ),
        (
            ROWS + "x = { labl = 'x', teacher = true, label = 'x' }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.x.labl: unknown key; did you mean "
            "'label'?",
        ),
        (
            ROWS + "'a b' = { label = 'x', teacher = true }",
            "o.toml:6: ablations.vanilla-kd.parts.one.rows.a b: a row's name consists of letters, "
            "digits, - and _: it becomes part of file names",
        ),
        (
            "[ablations.akb]\nsummary = 's'\n[ablations.akb.parts.p]\ntitle = 't'\n"
            "[ablations.akb.parts.p.rows.x]\nlabel = 'x'\nteacher = true",
            "o.toml:1: ablations.akb: no method is called 'akb'; did you mean 'akd'?",
        ),
        (
            "[ablations.a]\nsummary = 's'\nmethod = 'akb'\n[ablations.a.parts.p]\ntitle = 't'\n"
            "[ablations.a.parts.p.rows.x]\nlabel = 'x'\nteacher = true",
            "o.toml:3: ablations.a.method: no method is called 'akb'; did you mean 'akd'?",
        ),
        (
            "[ablations.a]\nsummary = 's'\nmethod = 'akd'",
            "o.toml:1: ablations.a.parts: has no rows",
        ),
        (
            "[ablations.teacher]\nsummary = 's'\nmethod = 'akd'\n[ablations.teacher.parts.p]\n"
            "title = 't'\n[ablations.teacher.parts.p.rows.x]\nlabel = 'x'\nteacher = true",
            "o.toml:1: ablations.teacher: 'teacher' cannot be the name of an ablation: results "
            "use it",
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_file_and_line(text: str, message: str) -> None:
    assert errors(text) == [message]


@pytest.mark.parametrize(
    "row",
    [
        "{ label = 'x' }",
        "{ label = 'x', teacher = false }",
        "{ label = 'x', needs_teachers = 2 }",
        "{ label = 'x', teacher = true, method = 'akd' }",
        "{ label = 'x', method = 'akd', loss_params = { k = 0.0 } }",
        "{ label = 'x', teacher = true, student = 'hybrid-tiny' }",
    ],
)
def test_a_row_is_one_thing(row: str) -> None:
    (message,) = errors(f"{ROWS}x = {row}")
    assert message.startswith(
        "o.toml:6: ablations.vanilla-kd.parts.one.rows.x: a row is either a method"
    )


def test_two_rows_of_one_name_and_other_mistakes_are_told_together() -> None:
    again = (
        '[ablations.vanilla-kd.parts.two]\ntitle = "Two"\n[ablations.vanilla-kd.parts.two.rows]\n'
    )
    told = errors(ROWS + GOOD + again + GOOD + "cold = { label = 'c', loss = 'kdd' }")
    assert [line.split(": ", 1)[1] for line in told] == [
        "ablations.vanilla-kd.parts.one.rows.hot: 2 rows have the name 'hot'",
        "ablations.vanilla-kd.parts.two.rows.hot: 2 rows have the name 'hot'",
        "ablations.vanilla-kd.parts.two.rows.cold.loss: nothing in [losses] is called 'kdd'; "
        "did you mean 'kd' or 'akd'?",
    ]


def test_a_mistake_in_the_full_method_is_told_where_that_stands() -> None:
    told = errors(ROWS + GOOD + "[methods.vanilla-kd.loss_params]\ntemperatur = 1.0")
    assert [line.split(": ")[1] for line in told] == ["methods.vanilla-kd.loss_params.temperatur"]


def test_a_replaced_part_loses_the_full_methods_parameters_and_grid() -> None:
    full = MethodSpec(
        summary="s", student="a", loss="b", student_params={"width": 1}, loss_params={"k": 1.0},
        settings={"training": {"epochs": 3, "batch_size": 4}},
        grids={"g": {"loss.k": [1.0], "student.width": [1], "training.epochs": [1]}},
    )  # fmt: skip
    row = RowSpec(label="l", student="c", settings={"training": {"epochs": 5}})
    made = row_method(full, row)
    assert (made.student, made.loss, made.student_params, made.loss_params) == (
        "c", "b", {}, {"k": 1.0},
    )  # fmt: skip
    assert made.settings == {"training": {"epochs": 5, "batch_size": 4}}
    assert list(made.grids["g"]) == ["loss.k", "training.epochs"]
    other = row_method(full, RowSpec(label="l", loss="d", loss_params={"x": 2}))
    assert (other.student_params, other.loss_params) == ({"width": 1}, {"x": 2})
    assert list(other.grids["g"]) == ["student.width", "training.epochs"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("akdd", "no ablation is called 'akdd'; did you mean 'akd'?"),
        (
            "hybrid",
            "the registry has no ablation of hybrid: add one as [ablations.hybrid] to a "
            "serbench.toml, or use one of akd",
        ),
    ],
)
def test_a_missing_ablation_is_told_with_those_that_are_there(name: str, message: str) -> None:
    with pytest.raises(RegistryError) as caught:
        load_registry(PLUGINS).ablation(name)
    assert str(caught.value) == message
