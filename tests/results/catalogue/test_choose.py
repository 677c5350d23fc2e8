from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serbench.api import StoreError
from serbench.results.catalogue.choose import Order, Wanted, choose, offered
from serbench.results.catalogue.entries import ListedScore, RunEntry


def entry(name: str, **given: Any) -> RunEntry:
    given = {"state": "finished", "dataset": "emodb", "protocol": "speaker-independent"} | given
    given = {"profile": "quick", "methods": ("akd",)} | given
    return RunEntry(name, Path(name), **given)


def ua(**scores: float) -> dict[str, ListedScore]:
    return {name: ListedScore(value, value - 0.1, value + 0.1) for name, value in scores.items()}


RUNS = (
    entry("low", scores=ua(akd=0.6, mha=0.75), methods=("akd", "mha"), changed_s=3, size_bytes=1),
    entry("high", scores=ua(akd=0.8), changed_s=1, size_bytes=9),
    entry("demo", dataset="demo", profile="demo", scores=ua(akd=0.7), changed_s=2, size_bytes=5),
    entry("leaky", protocol="leaky-random", scores=ua(akd=0.99), changed_s=5),
    entry("begun", state="unfinished", changed_s=4),
    entry("broken", state="damaged", dataset="", protocol="", profile="", methods=()),
)


def names(wanted: Wanted, order: Order = "name") -> list[str]:
    return [each.name for each in choose(RUNS, wanted, order)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), ["begun", "broken", "demo", "high", "leaky", "low"]),
        (Wanted(dataset="demo"), ["demo"]),
        (Wanted(methods=("mha",)), ["low"]),
        (Wanted(methods=("akd", "mha")), ["low"]),
        (Wanted(profile="demo"), ["demo"]),
        (Wanted(finished=True), ["demo", "high", "leaky", "low"]),
        (Wanted(finished=False), ["begun", "broken"]),
        (Wanted(min_ua=70), ["demo", "high", "leaky", "low"]),
        (Wanted(min_ua=70, methods=("akd",)), ["demo", "high", "leaky"]),
        (Wanted(min_ua=0), ["demo", "high", "leaky", "low"]),
        (Wanted(dataset="emodb", finished=True, min_ua=79), ["high", "leaky"]),
        (Wanted(dataset="none"), []),
    ],
)
def test_filters(wanted: Wanted, expected: list[str]) -> None:
    assert names(wanted) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("date", ["leaky", "begun", "low", "demo", "high", "broken"]),
        ("size", ["high", "demo", "low", "begun", "broken", "leaky"]),
        # By UA a broken protocol never leads.
        ("ua", ["high", "low", "demo", "leaky", "begun", "broken"]),
    ],
)
def test_orders(order: Order, expected: list[str]) -> None:
    assert names(Wanted(), order) == expected


def test_a_named_method_is_what_is_sorted_by() -> None:
    assert names(Wanted(methods=("akd",)), "ua") == ["high", "demo", "low", "leaky", "begun"]


@pytest.mark.parametrize(
    ("least", "said"),
    [(0.7, "give 70 for 70 %"), (-1.0, "0 and 100 %"), (101.0, "0 and 100 %")],
)
def test_a_least_ua_that_cannot_be_meant_is_an_error(least: float, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        choose(RUNS, Wanted(min_ua=least))


def test_what_there_is_to_ask_for() -> None:
    assert offered(RUNS) == "datasets: demo, emodb; methods: akd, mha; profiles: demo, quick"
    assert offered(()) == "datasets: none; methods: none; profiles: none"
