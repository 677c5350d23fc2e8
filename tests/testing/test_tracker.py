from __future__ import annotations

import pytest

from serbench.api import EpochEvent, FoldEvent, Params, RunEvent, Tracker
from serbench.testing import check_tracker


class Good(Tracker):
    """Writes a file of its own."""

    name = "good"
    Params = Params

    def run_started(self, event: RunEvent) -> None:
        (event.folder / "good.txt").write_text(event.digest)


def test_a_tracker_that_keeps_the_contract_passes() -> None:
    assert check_tracker(Good) is None


def test_the_reason_of_one_that_cannot_be_used_is_given() -> None:
    class Missing(Good):
        def unavailable(self) -> str:
            return "no"

    assert check_tracker(Missing) == "no"


class Raises(Good):
    def fold_scored(self, event: FoldEvent) -> None:
        raise KeyError(event.method)


class RaisesInAThread(Good):
    def fit_epoch(self, event: EpochEvent) -> None:
        raise KeyError(event.fit)


class Edits(Good):
    def run_finished(self, event: RunEvent) -> None:
        (event.folder / "tables" / "comparison.csv").write_text("mine")


class ChangesEvents(Good):
    def fit_epoch(self, event: EpochEvent) -> None:
        event.terms["mine"] = 1.0  # pyright: ignore[reportIndexIssue]


class ChangesPlans(Good):
    def run_started(self, event: RunEvent) -> None:
        event.plan["mine"] = 1.0  # pyright: ignore[reportIndexIssue]


class ClosesOnce(Good):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class Chats(Good):
    def unavailable(self) -> str:
        return "no\nnever"


class Loose(Params, extra="ignore"):
    pass


class TakesAnything(Good):
    Params = Loose


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Raises, "fold_scored raised KeyError"),
        (RaisesInAThread, "fit_epoch raised KeyError"),
        (Edits, "must not change the run's own files; it changed .'tables/comparison.csv'"),
        (ChangesEvents, "fit_epoch must not change its event"),
        (ChangesPlans, "run_started must not change its event"),
        (ClosesOnce, "close raised RuntimeError: closed already"),
        (Chats, "must be one line"),
        (TakesAnything, "must not accept unknown names"),
    ],
)
def test_a_tracker_that_breaks_the_contract_is_told_so(cls: type, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_tracker(cls)
