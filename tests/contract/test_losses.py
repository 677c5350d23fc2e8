from __future__ import annotations

import pytest
from tests_support.contracts import each_check

from serbench.running.plugins import load_plugins
from serbench.testing import Check, loss_checks
from serbench_baselines.ce import CrossEntropy

LOSSES = load_plugins().items("losses")


@pytest.mark.parametrize("check", each_check((loss.name, loss_checks(loss.cls)) for loss in LOSSES))
def test_every_loss_keeps_its_contract(check: Check) -> None:
    check()


@pytest.mark.parametrize(
    "check",
    each_check([("ce", loss_checks(CrossEntropy, {"class_weights": "balanced", "focal": 2.0}))]),
)
def test_weighted_classes_keep_it_too(check: Check) -> None:
    check()
