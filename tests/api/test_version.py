from __future__ import annotations

import warnings
from difflib import unified_diff

import pytest
from tests_support import public_contract

from serbench.api import VERSION, SerbenchDeprecationWarning
from serbench.api.version import deprecated


def test_the_contract_changes_with_its_version_only() -> None:
    stored = public_contract.STORED.read_text(encoding="utf-8").splitlines()
    made = public_contract.lines()
    if stored == made:
        return
    changes = "\n".join(unified_diff(stored, made, "stored", "now", lineterm="", n=0))
    if stored[0] == made[0]:
        pytest.fail(
            f"{changes}\n\nThe contract of plugins changed, and its version is still {VERSION}. "
            "Raise VERSION in serbench/api/version.py (the major one where something is gone or "
            "changed), then run python tests/tests_support/public_contract.py; with --unreleased "
            f"and without a new version where {VERSION} was never released"
        )
    pytest.fail(f"{changes}\n\nRun python tests/tests_support/public_contract.py")


def test_a_changed_signature_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    before = public_contract.lines()
    monkeypatch.setattr("serbench.api.Loss.build", lambda self, shape, more: None)
    changed = set(public_contract.lines()) ^ set(before)
    assert sorted(changed) == [
        "serbench.api.Loss.build(self, shape, more)",
        "serbench.api.Loss.build(self, shape: 'LossShape') -> 'nn.Module' abstract",
    ]


def test_what_is_deprecated_warns_and_says_what_to_do() -> None:
    @deprecated("use new", until="9.1")
    def old(number: int) -> int:
        return number + 1

    with pytest.warns(SerbenchDeprecationWarning) as told:
        assert old(1) == 2
    assert str(told[0].message) == "old will be removed in version 9.1 of serbench.api: use new"

    @deprecated("use New", until="9.1")
    class Old:
        pass

    with pytest.warns(SerbenchDeprecationWarning, match="Old will be removed"):
        Old()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert old.__name__ == "old"  # nothing warns before it is used


@pytest.mark.parametrize("until", ["0.9", VERSION])
def test_what_has_outlived_its_time_cannot_stay(until: str) -> None:
    with pytest.raises(RuntimeError, match="remove it"):
        deprecated("use new", until=until)(lambda: None)
