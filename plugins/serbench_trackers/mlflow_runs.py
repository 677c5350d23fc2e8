"""``mlflow``: a run of serbench as an MLflow run, with a nested run for each method."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from serbench.api import EpochEvent, FoldEvent, Params, RunEvent, Tracker
from serbench_trackers.facts import METRICS, method_facts, place_of, run_facts
from serbench_trackers.mlflow_store import MLflowRun, MLflowStore, reason_of, without_password
from serbench_trackers.packages import missing

LEDGER = "mlflow.json"
"""Name of the file in a run's folder that says which MLflow run it belongs to."""

DATABASE = "mlflow.db"
"""Name of the database that MLflow uses by default: `mlflow ui` in the same folder shows it."""

ARTEFACTS = (
    *("report.md", "report.html", "ablation.md", "certificate.json", "certificate.md"),
    *("plan.json", "environment.json", "timing.json", "tables", "figures"),
)


class MLflowParams(Params):
    """The store, and the experiment in it."""

    tracking_uri: str | None = None
    """Address of the store; None: ``MLFLOW_TRACKING_URI``, else the SQLite file ``mlflow.db`` in
    the current folder.
    """
    experiment: str | None = None
    """Name of the experiment; None: ``MLFLOW_EXPERIMENT_NAME``, else ``serbench``."""


class MLflow(Tracker):
    """Records parameters, curves and scores of every method, and the report as artefacts.

    A run that is started again continues in its old MLflow run. What this already contains is not
    written twice.
    """

    name = "mlflow"
    Params = MLflowParams
    params: MLflowParams

    def __init__(self, params: MLflowParams) -> None:
        super().__init__(params)
        self._methods: dict[str, MLflowRun] = {}
        self._run: MLflowRun | None = None
        self._started: RunEvent | None = None
        self._finished = False

    @property
    def tracking_uri(self) -> str:
        """Address of the store that is used."""
        default = f"sqlite:///{Path(DATABASE).absolute().as_posix()}"
        return self.params.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or default

    def unavailable(self) -> str | None:
        """See ``Tracker``."""
        database = self.tracking_uri.startswith(("sqlite", "postgresql", "mysql", "mssql"))
        modules = ("mlflow", "sqlalchemy", "alembic") if database else ("mlflow",)
        if (reason := missing("mlflow", modules)) is not None:
            return reason
        try:
            self._store.check()
        except Exception as error:  # clients of stores can raise any error
            return (
                f"the MLflow store {without_password(self.tracking_uri)} cannot be used "
                f"({reason_of(error)}); set MLFLOW_TRACKING_URI to a server, or to a database "
                "such as sqlite:///mlflow.db"
            )
        return None

    def run_started(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        self._started = event
        facts = run_facts(event.plan)
        command = str(facts.pop("command", ""))
        tags = {
            "serbench.digest": event.digest,
            "serbench.command": command,
            "mlflow.source.name": "serbench",
            "mlflow.note.content": f"`{command}`\n\nplan {event.digest}",
        }
        self._run, held = self._store.run(event.folder / LEDGER, event.folder.name, tags)
        self._methods = {run.name: run for run in held}
        self._run.log_params(facts)

    def fit_epoch(self, event: EpochEvent) -> None:
        """See ``Tracker``. Epochs of a canary, which are on permuted labels, are left out."""
        if event.canary:
            return
        place = place_of(event.fit)
        values = {f"{place.rest}/loss/{term}": value for term, value in event.terms.items()}
        if event.validation_ua is not None:
            values[f"{place.rest}/validation/ua"] = event.validation_ua
        self._method(place.method).log(values, event.epoch)

    def fold_scored(self, event: FoldEvent) -> None:
        """See ``Tracker``. The step is the number of the outer fold."""
        values = {f"seed-{event.seed}/test/{name}": getattr(event, name) for name in METRICS}
        self._method(event.method).log(values, event.outer)

    def run_finished(self, event: RunEvent) -> None:
        """See ``Tracker``."""
        for score in event.scores:
            ends = {"": score.value, "_low": score.low, "_high": score.high}
            own = {f"{score.metric}{end}": value for end, value in ends.items()}
            self._method(score.method).put(own)
            self._begun.put({f"{score.method}/{score.metric}": score.value})
        self._begun.tag("serbench.certificate", event.certificate)
        for name in ARTEFACTS:
            self._begun.keep(event.folder / name)
        self._finished = True

    def close(self) -> None:
        """See ``Tracker``."""
        run, self._run = self._run, None
        if run is None:
            return
        status = "FINISHED" if self._finished else "KILLED"
        for each in (*self._methods.values(), run):
            each.end(status)

    @cached_property
    def _store(self) -> MLflowStore:
        named = self.params.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        return MLflowStore(self.tracking_uri, named or "serbench")

    @property
    def _begun(self) -> MLflowRun:
        assert self._run is not None, "run_started comes first"
        return self._run

    def _method(self, name: str) -> MLflowRun:
        """The nested run of a method, made at its first event."""
        if name not in self._methods:
            assert self._started is not None, "run_started comes first"
            run = self._methods[name] = self._store.nested(self._begun, name)
            run.log_params(method_facts(self._started.plan, name))
        return self._methods[name]
