from __future__ import annotations

from pathlib import Path

import pytest
from serbench.api import FoldEvent, RunEvent
from serbench.testing import Check, tracker_checks

from serbench_placeholder.tracker import Placeholder


@pytest.mark.parametrize("check", [*tracker_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_each_fold_is_a_row(tmp_path: Path) -> None:
    tracker = Placeholder(Placeholder.Params(file="folds.csv"))
    tracker.run_started(RunEvent(tmp_path, digest="0" * 64, fits=2))
    tracker.fold_scored(FoldEvent("akd", outer=1, seed=0, wa=0.6, ua=0.5, macro_f1=0.5))
    tracker.fold_scored(FoldEvent("akd", outer=2, seed=0, wa=0.6, ua=0.75, macro_f1=0.5))
    tracker.close()
    table = (tmp_path / "folds.csv").read_text(encoding="utf-8")
    assert table.split() == ["method,fold,seed,ua", "akd,1,0,0.5000", "akd,2,0,0.7500"]
