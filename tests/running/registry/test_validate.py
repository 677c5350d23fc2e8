from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, PositiveInt, model_validator

from serbench.api import Params, RegistryError
from serbench.running.registry.validate import lay_over, problems, validate


class Inner(Params):
    rate: float = Field(default=0.1, gt=0)


class Outer(Params):
    inner: Inner = Inner()
    sizes: tuple[PositiveInt, ...] = (1, 2)
    mode: Literal["a", "b"] = "a"
    folds: int | Literal["units"] = "units"
    named: dict[str, Inner] = Field(default_factory=dict)
    needed: str

    @model_validator(mode="after")
    def _b_wants_two(self) -> Outer:
        if self.mode == "b" and len(self.sizes) != 2:
            raise ValueError("mode 'b' takes two sizes")
        return self


def told(values: dict[str, object]) -> list[str]:
    return [str(problem) for problem in problems(Outer, {"needed": "x"} | values, ("top",))]


def test_valid_values_make_an_instance() -> None:
    made = validate(Outer, {"needed": "x", "sizes": [3, 4], "inner": {"rate": 2}}, "here")
    assert made == Outer(needed="x", sizes=(3, 4), inner=Inner(rate=2.0))
    assert told({}) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sises": 1}, "top.sises: unknown key; did you mean 'sizes'?"),
        ({"inner": {"rat": 1}}, "top.inner.rat: unknown key; did you mean 'rate'?"),
        ({"named": {"n": {"rte": 1}}}, "top.named.n.rte: unknown key; did you mean 'rate'?"),
        ({"inner": {"rate": "1"}}, "top.inner.rate: should be a valid number, not '1'"),
        ({"inner": {"rate": -1.0}}, "top.inner.rate: should be greater than 0, not -1.0"),
        ({"sizes": [1, 0]}, "top.sizes.1: should be greater than 0, not 0"),
        ({"sizes": [1.5]}, "top.sizes.0: should be a valid integer, not 1.5"),
        ({"sizes": [True]}, "top.sizes.0: should be a valid integer, not True"),
        ({"mode": "c"}, "top.mode: should be 'a' or 'b', not 'c'"),
        ({"needed": 3}, "top.needed: should be a valid string, not 3"),
        ({"mode": "b", "sizes": [1]}, "top: mode 'b' takes two sizes"),
    ],
)
def test_each_mistake_is_told_where_it_is(values: dict[str, object], message: str) -> None:
    assert told(values) == [message]


def test_the_branches_of_a_union_are_one_problem() -> None:
    assert told({"folds": "unit"}) == [
        "top.folds: should be a valid integer, not 'unit', or should be 'units', not 'unit'"
    ]


def test_a_missing_key_and_all_problems_at_once() -> None:
    with pytest.raises(RegistryError) as caught:
        validate(Outer, {"mode": 1, "sizes": 2}, "students.x.params")
    lines = str(caught.value).split("\n")
    assert len(lines) == 3
    assert "students.x.params.needed: is missing" in lines


def test_lay_over_joins_tables_and_replaces_the_rest() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}}
    assert lay_over(base, {"a": {"y": [3]}, "c": 4, "d": {}}) == {
        "a": {"x": 1, "y": [3]},
        "b": 1,
        "c": 4,
        "d": {},
    }
    assert base["a"] == {"x": 1, "y": [1, 2]}
