"""Runs in an MLflow store: they are made or found again, and written to in batches."""

from __future__ import annotations

import json
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from serbench.api import PluginError
from serbench_trackers.facts import shown

BATCH_METRICS = 500
"""Number of metrics that are sent together; MLflow accepts 1000."""

BATCH_PARAMS = 100
"""Number of parameters that are sent together, which is MLflow's limit."""

PARAM_LENGTH = 500
"""Largest length of a parameter's value that every server accepts."""

FLUSH_S = 3.0
"""Seconds after which waiting values are sent together with the next value."""

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Settings of MLflow, unless the user has set them: a server that no longer answers must not delay
the fits for long.
"""

PARENT, METHOD = "mlflow.parentRunId", "serbench.method"
"""Tags of a nested run: the run that it belongs to, and its method."""

Untyped = Any  # MLflow is optional, so its types may not be known here


class MLflowStore:
    """An experiment in a tracking store; the connection is made on first use."""

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment

    def check(self) -> None:
        """Test whether the store can be written to, by writing as little as possible.

        Raises:
            PluginError: the experiment is deleted.
            Exception: any error that the client of the store raises if it cannot be written to.
        """
        with quiet():
            self.client.set_experiment_tag(self.experiment_id, "serbench", "runs of serbench")

    def run(
        self, ledger: Path, name: str, tags: Mapping[str, str]
    ) -> tuple[MLflowRun, tuple[MLflowRun, ...]]:
        """The MLflow run of a run's folder. It is found by ``ledger``, or made and recorded there.

        Returns:
            This run, and the nested runs of methods that it already has.
        """
        with quiet():
            known = self._found(_noted(ledger))
            if known is None:
                run = self._make(name, tags)
                _note(ledger, run.id)
                return run, ()
            self.client.update_run(known, status="RUNNING")
            for key, value in tags.items():
                self.client.set_tag(known, key, value)
            nested = self.client.search_runs(
                [self.client.get_run(known).info.experiment_id],
                f"tags.`{PARENT}` = '{known}'",
                max_results=1000,
            )
        held = tuple(
            MLflowRun(self.client, each.info.run_id, each.data.tags[METHOD], found=True)
            for each in nested
            if METHOD in each.data.tags
        )
        return MLflowRun(self.client, known, name, found=True), held

    def nested(self, parent: MLflowRun, method: str) -> MLflowRun:
        """A new run of a method, nested below another run."""
        return self._make(method, {PARENT: parent.id, METHOD: method})

    @cached_property
    def client(self) -> Untyped:
        """The client of the store."""
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        with quiet():
            mlflow = import_module("mlflow")
            logging.getLogger("mlflow").setLevel(logging.WARNING)  # no messages about new tables
            return mlflow.MlflowClient(tracking_uri=self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """Id of the experiment, which is made if it does not exist."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            return self.client.create_experiment(self.experiment)
        if found.lifecycle_stage != "active":
            raise PluginError(f"its experiment {self.experiment!r} is deleted; restore it")
        return found.experiment_id

    def _make(self, name: str, tags: Mapping[str, str]) -> MLflowRun:
        made = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags))
        return MLflowRun(self.client, made.info.run_id, name, found=False)

    def _found(self, run_id: str | None) -> str | None:
        """``run_id`` if the store has this run and it is not deleted; else None."""
        if run_id is None:
            return None
        try:
            info = self.client.get_run(run_id).info
        except import_module("mlflow.exceptions").MlflowException:  # the store has changed
            return None
        return run_id if info.lifecycle_stage == "active" else None


class MLflowRun:
    """One run in the store. Curves are sent in batches; ``end`` sends everything that waits."""

    def __init__(self, client: Untyped, run_id: str, name: str, *, found: bool) -> None:
        self.client = client
        self.id = run_id
        self.name = name
        self._found = found
        self._last_steps: dict[str, int] = {}
        self._waiting: list[Untyped] = []
        self._sent_at = time.monotonic()

    def log_params(self, values: Mapping[str, object]) -> None:
        """Record the parameters of the run. This is done once, because parameters
        cannot be changed.
        """
        if self._found:
            return
        make = import_module("mlflow.entities").Param
        params = [make(safe_key(key), _text(value)) for key, value in values.items()]
        for first in range(0, len(params), BATCH_PARAMS):
            self.client.log_batch(self.id, params=params[first : first + BATCH_PARAMS])

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add a point to each of some curves, unless an earlier start of the run has already
        written it.
        """
        if not values or step <= self._last_step(safe_key(next(iter(values)))):
            return
        self._put(values, step)
        waited_s = time.monotonic() - self._sent_at
        if len(self._waiting) >= BATCH_METRICS or waited_s >= FLUSH_S:
            self.flush()

    def put(self, values: Mapping[str, float]) -> None:
        """Record values that are not curves; later values replace earlier ones."""
        self._put(values, 0)

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self.client.set_tag(self.id, key, value)

    def keep(self, path: Path) -> None:
        """Store a file or a folder as an artefact, if it exists."""
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), path.name)
        elif path.is_file():
            self.client.log_artifact(self.id, str(path))

    def flush(self) -> None:
        """Send all values that wait. Values that cannot be sent are not tried again."""
        waiting, self._waiting = self._waiting, []
        self._sent_at = time.monotonic()
        for first in range(0, len(waiting), BATCH_METRICS):
            self.client.log_batch(self.id, metrics=waiting[first : first + BATCH_METRICS])

    def end(self, status: str) -> None:
        """Send all values that wait, and set the status ``FINISHED`` or ``KILLED``."""
        self.flush()
        self.client.set_terminated(self.id, status)

    def _put(self, values: Mapping[str, float], step: int) -> None:
        make = import_module("mlflow.entities").Metric
        now_ms = time.time_ns() // 1_000_000
        self._waiting += [make(safe_key(key), value, now_ms, step) for key, value in values.items()]

    def _last_step(self, key: str) -> int:
        """The last step of a curve that an earlier start of the run has written; -1: no step."""
        if not self._found:
            return -1
        if key not in self._last_steps:
            points = self.client.get_metric_history(self.id, key)
            self._last_steps[key] = max((point.step for point in points), default=-1)
        return self._last_steps[key]


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings of the libraries below MLflow, and messages about each try to connect."""
    connections = logging.getLogger("urllib3")
    level = connections.level
    connections.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        connections.setLevel(level)


def without_password(text: str) -> str:
    """A text in which user names and passwords are removed from addresses of stores."""
    return re.sub(r"(?<!/)//(?!/)[^/@\s]*@", "//…@", text)


def reason_of(error: Exception) -> str:
    """The first line of an error's message, without a password."""
    text = without_password(" ".join(str(error).split()))
    return re.split(r"(?<=[a-z)])\. | with exception ", text)[0][:300] or type(error).__name__


def safe_key(name: str) -> str:
    """A name of a metric or a parameter that every store accepts."""
    return re.sub(r"[^\w./ -]", "-", name)[:250]


def _text(value: object) -> str:
    text = shown(value)
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"


def _noted(ledger: Path) -> str | None:
    """The id in a ledger; None if the ledger is missing or damaged."""
    try:
        return str(json.loads(ledger.read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(ledger: Path, run_id: str) -> None:
    temporary = ledger.with_name(f".{ledger.name}.tmp")
    temporary.write_text(json.dumps({"run_id": run_id}) + "\n", encoding="utf-8")
    temporary.replace(ledger)
