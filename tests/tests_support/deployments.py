"""A finished run, deployed through the fake backend in all of its moods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from serbench.running.harness.run import run
from serbench.running.replay.run import Replay
from serbench.studies.deploy.backends import choose_backends
from serbench.studies.deploy.measure import Deployment, measure_deployment
from serbench.studies.deploy.params import DeployParams
from serbench.studies.deploy.results import Effort
from tests_support.fake_backend import FakeBackend, FakeParams
from tests_support.replays import open_replay, write_shifting
from tests_support.runs import Watcher, candidate, method, resources, run_plan

QUICK = Effort(
    lengths_s=[0.5, 1.0],
    window_s=1.0,
    batches=[2],
    warm_up_calls=1,
    warm_up_s=0.0,
    budget_s=0.0,
    least_calls=3,
    most_calls=3,
)


class FakeRegistry:
    """Entries of the fake backend by name; ``torch`` is the plain one."""

    datasets: Mapping[str, object] = {}
    teachers: Mapping[str, object] = {}

    def __init__(self, **entries: FakeParams) -> None:
        self.backends = {
            "torch": FakeParams(),
            **{name.replace("_", "-"): params for name, params in entries.items()},
        }

    def make(self, kind: str, name: str) -> FakeBackend:
        assert kind == "backends"
        return FakeBackend(self.backends[name])


def installed(plugins: object) -> object:
    """``plugins`` with the hook that a command asks for."""
    plugins.hook = SimpleNamespace()  # pyright: ignore[reportAttributeAccessIssue]
    return plugins


@dataclass(frozen=True)
class Deployed:
    """A run of two folds, deployed once through backends of every mood."""

    root: Path
    replay: Replay
    registry: FakeRegistry
    study: Deployment
    calls: Path

    def measure(self, *names: str, rounds: int = 0, **params: object) -> Deployment:
        chosen = choose_backends(self.registry, names)  # pyright: ignore[reportArgumentType]
        asked = DeployParams(rounds=rounds, **params)  # pyright: ignore[reportArgumentType]
        return measure_deployment(self.replay, chosen, asked, effort=QUICK)


_made: list[Deployed] = []


def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Made once for all tests of a process, since an export takes seconds."""
    if _made:
        return _made[0]
    root = tmp_path_factory.mktemp("deployed")
    write_shifting(root / "noise", speakers=2, utterances=3)
    plan = run_plan(root / "noise", method("plain", candidate(learning_rate=0.02)))
    run(plan, resources(root, folder=root / "run"), Watcher())
    calls = root / "calls.txt"
    registry = FakeRegistry(
        flat=FakeParams(mode="flattened", count=calls),
        turned=FakeParams(mode="turned", device="cuda"),
        wrong=FakeParams(mode="wrong"),
        refuses=FakeParams(mode="refuses"),
        crashes=FakeParams(mode="crashes"),
        falls_back=FakeParams(mode="falls back"),
        crashes_later=FakeParams(mode="crashes later"),
        missing=FakeParams(mode="missing"),
        missing_gpu=FakeParams(mode="missing", device="cuda"),
    )
    replay = open_replay(root)
    chosen = choose_backends(registry)  # pyright: ignore[reportArgumentType]
    study = measure_deployment(replay, chosen, DeployParams(rounds=1), effort=QUICK)
    _made.append(Deployed(root, replay, registry, study, calls))
    return _made[0]
