from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serbench.api import RegistryError
from serbench.benchmark.arguments import command_line, place, setting_texts, several
from serbench.running.plan.sets import parse_set


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (20, 20),
        (0.5, 0.5),
        (True, True),
        ("loso", "loso"),
        ("20", "20"),  # text stays text
        ('a "b" \\', 'a "b" \\'),
        ((1, 2), [1, 2]),
        (Path("a b.csv"), "a b.csv"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
    ],
)
def test_a_setting_means_what_the_value_is(value: object, read: object) -> None:
    (text,) = setting_texts({"protocol.folds": value})
    path, found = parse_set(text)
    assert path == ("protocol", "folds")
    assert found == read
    assert type(found) is type(read)


def test_settings_may_be_nested_flat_or_as_the_command_line_has_them() -> None:
    flat = setting_texts({"training.epochs": 2, "methods.inherited-1.5m.loss.alpha": 0.1})
    nested = {"training": {"epochs": 2}, "methods": {"inherited-1.5m": {"loss": {"alpha": 0.1}}}}
    assert setting_texts(nested) == flat
    assert setting_texts(flat) == flat
    assert setting_texts("training.epochs=2") == ("training.epochs=2",)
    assert setting_texts({}) == ()


def test_a_setting_is_not_none() -> None:
    with pytest.raises(RegistryError, match="is None; leave it out"):
        setting_texts({"training": {"epochs": None}})


def test_one_name_is_a_list_of_one() -> None:
    assert several("akd") == ("akd",)
    assert several(Path("models/a")) == ("models/a",)
    assert several(["akd", "kd"]) == ("akd", "kd")


@pytest.mark.parametrize("names", [5, None, ["akd", 5]])
def test_what_is_no_name_is_told(names: object) -> None:
    with pytest.raises(RegistryError, match="expected a name or a list of names, not "):
        several(names)  # pyright: ignore[reportArgumentType]


def test_what_is_no_path_is_told() -> None:
    with pytest.raises(RegistryError, match="expected a path, not 5"):
        place(5)  # pyright: ignore[reportArgumentType]


def test_the_users_own_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert place("~/speech") == Path("/home/ada/speech")
    assert place(None) is None


def test_a_command_leaves_out_what_is_not_asked_for() -> None:
    options = {"dataset": "demo", "canary": True, "skip_missing": False, "test": None, "set": ()}
    assert command_line("run", ["a b"], options) == "serbench run 'a b' --dataset demo --canary"
