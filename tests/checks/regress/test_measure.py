from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests_support.deployments import FakeRegistry
from tests_support.fake_backend import FakeParams
from tests_support.replays import open_replay, write_shifting
from tests_support.runs import Watcher, candidate, method, resources, run_plan

from serbench.api import PluginError, SerbenchError, StoreError
from serbench.checks.regress.golden import GoldenLatency
from serbench.checks.regress.measure import Conditions, Timed, entry_backends, time_entries
from serbench.checks.regress.reference import open_reference
from serbench.running.harness.run import run
from serbench.running.replay.run import Replay

FLAT = GoldenLatency(method="plain", backend="flat", audio_s=0.5)
LONG = GoldenLatency(method="plain", backend="flat", audio_s=2.0)
REFUSES = GoldenLatency(method="plain", backend="refuses", audio_s=0.5)


REGISTRY: Any = FakeRegistry(
    flat=FakeParams(mode="flattened"),
    refuses=FakeParams(mode="refuses"),
    missing=FakeParams(mode="missing"),
)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """Of a run with two folds."""
    root = tmp_path_factory.mktemp("measured")
    write_shifting(root / "noise", speakers=2, utterances=2)
    plan = run_plan(root / "noise", method("plain", candidate(learning_rate=0.02)))
    run(plan, resources(root, folder=root / "run"), Watcher())
    return open_replay(root)


def timed(replay: Replay, folder: Path, *entries: GoldenLatency, **more: int) -> list[Timed]:
    conditions = Conditions(open_reference(None, folder), budget_s=0.01, **more)
    backends = entry_backends(REGISTRY, entries, "golden.toml")
    return list(time_entries(replay, entries, backends, conditions))


def test_models_are_timed_in_turns_with_the_reference(replay: Replay, tmp_path: Path) -> None:
    short, long, refuses = timed(replay, tmp_path, FLAT, LONG, REFUSES, rounds=5)
    assert len(short.ratios) == len(long.ratios) == 5
    assert all(0 < ratio < 50 for ratio in (*short.ratios, *long.ratios))
    assert short.ratios != long.ratios
    assert short.size_bytes == long.size_bytes
    assert short.failure is None
    assert (refuses.ratios, refuses.size_bytes) == ((), None)
    assert refuses.failure is not None
    assert "conversion: cannot express a mean" in refuses.failure


def test_too_few_rounds_are_refused_before_anything_is_timed(
    replay: Replay, tmp_path: Path
) -> None:
    with pytest.raises(SerbenchError, match="4 rounds: a ratio needs at least 5"):
        timed(replay, tmp_path, FLAT, rounds=4)


def test_more_threads_than_cores_are_refused(replay: Replay, tmp_path: Path) -> None:
    with pytest.raises(SerbenchError, match="asks for 9999 threads, but this process may use"):
        timed(replay, tmp_path, FLAT, threads=9999)


def test_a_method_that_the_run_does_not_have_is_told(replay: Replay, tmp_path: Path) -> None:
    gone = GoldenLatency(method="akd", backend="flat")
    with pytest.raises(StoreError, match="no student of akd; its methods: plain"):
        timed(replay, tmp_path, gone)


def test_a_reference_that_fails_is_no_verdict(replay: Replay, tmp_path: Path) -> None:
    reference = open_reference(None, tmp_path)
    reference.model.write_bytes(b"damaged")
    backends = entry_backends(REGISTRY, [FLAT], "golden.toml")
    with pytest.raises(PluginError, match=r"the reference .*reference\.onnx"):
        time_entries(replay, [FLAT], backends, Conditions(reference, rounds=5))


def test_a_backend_that_is_not_there_is_no_pass() -> None:
    gone = GoldenLatency(method="plain", backend="missing")
    with pytest.raises(PluginError, match="cannot run here: missing: there is none"):
        entry_backends(REGISTRY, [FLAT, gone], "golden.toml")
