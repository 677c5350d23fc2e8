from __future__ import annotations

from itertools import pairwise

import pytest

from serbench.api import PluginError
from serbench_inherited.budget import STEPS, Ranks, fit_ranks, shrunk
from serbench_inherited.inherited import BUDGET_CLASSES, Inherited, InheritedParams
from serbench_inherited.network import InheritedNetwork
from serbench_inherited.whisper import WhisperSizes

TINY, BASE, SMALL = (
    WhisperSizes(80, width, heads, 4 * width, depth, 500)
    for width, heads, depth in ((384, 6, 4), (512, 8, 6), (768, 12, 12))
)


def count(sizes: WhisperSizes, ranks: Ranks) -> int:
    network = InheritedNetwork(sizes.build(ranks), sizes.width, BUDGET_CLASSES, 0.0)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("sizes", "layers", "budget"),
    [(TINY, 2, 1.5e6), (TINY, 2, 2.3e6), (TINY, 1, 6e5), (BASE, 3, 3e6), (SMALL, 4, 8e6)],
)
def test_a_budget_is_held_and_used(sizes: WhisperSizes, layers: int, budget: float) -> None:
    ranks = fit_ranks(budget, sizes.full(layers), lambda ranks: count(sizes, ranks))
    assert 0.97 * budget < count(sizes, ranks) <= budget
    assert ranks.blocks == layers


def test_more_budget_keeps_no_part_smaller() -> None:
    full = TINY.full(2)
    shares = [shrunk(full, k / STEPS) for k in range(1, STEPS + 1)]
    for less, more in pairwise(shares):
        assert less.channels <= more.channels
        assert less.query <= more.query
        assert less.value <= more.value
        assert less.units <= more.units
    assert shares[-1] == full


def test_ample_budget_keeps_all() -> None:
    full = TINY.full(2)
    assert fit_ranks(1e9, full, lambda ranks: count(TINY, ranks)) == full


def test_a_budget_that_holds_nothing_names_the_least() -> None:
    with pytest.raises(PluginError, match=r"a budget of 1e\+05 parameters is too small for 2 bl"):
        fit_ranks(1e5, TINY.full(2), lambda ranks: count(TINY, ranks))


def test_no_weights_are_needed_for_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the presets' sizes are what docs and tables say."""
    student = Inherited(InheritedParams(budget=1.5e6))
    monkeypatch.setattr(Inherited, "_sizes", TINY)
    assert student.ranks == Ranks(120, (16, 16), (40, 40), (520, 520))
    assert Inherited(InheritedParams(budget=2.3e6)).ranks.units > (768, 768)
