"""``serbench deploy``: accuracy, latency, size and memory of students through every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serbench.studies.deploy.params import DeployParams
from serbench.studies.study import Instead, Shown, Study

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serbench.results.record import StudyRecord
    from serbench.running.store.finished import StoredRun
    from serbench.studies.deploy.measure import Deployment
    from serbench.studies.opened import Opened

HELP = """Print and write the deployment table of a finished run.

One row for each backend and precision: latency and its ratio to PyTorch, windows per second,
size, memory, start, and UA on the outer test folds through that backend. Nothing is trained or
chosen. Models and scores are kept, so a stopped command continues; times are always measured again.

Examples:

  serbench deploy

  serbench deploy runs/emodb-akd --backends onnxruntime,onnxruntime-int8 --rounds 10

  serbench deploy emodb-akd --bundle to-jetson

  serbench deploy emodb-akd --import results.json
"""


class DeployStudy(Study[DeployParams, "Deployment"]):
    """Students through every backend; each backend itself determines the device."""

    name = "deploy"
    title = "Deployment"
    help = HELP
    params = DeployParams
    steers = False

    def measure(self, opened: Opened, params: DeployParams) -> Deployment | Instead:
        """See ``Study``."""
        from serbench.studies.deploy.backends import choose_backends
        from serbench.studies.deploy.bundle import write_bundle
        from serbench.studies.deploy.measure import measure_deployment

        replay, backends = opened.replay, choose_backends(opened.registry, params.backends)
        if not params.bundle:
            return measure_deployment(replay, backends, params)
        made = write_bundle(replay, backends, params.bundle, params.method, params.seed)
        return Instead(
            (
                f"Written: {made.folder} with {', '.join(made.models)}",
                *(f"Left out: {name}: {reason}" for name, reason in made.left_out.items()),
                "Its README.txt explains what to do on the other device.",
            )
        )

    def show(self, found: Deployment, params: DeployParams) -> Shown:
        """See ``Study``."""
        from serbench.studies.deploy.show import show_deployment

        return show_deployment(found, params.backends)

    def of_run(self, run: StoredRun) -> tuple[StudyRecord, ...]:
        """The content of the run's ``results.json``, from any version of serbench."""
        from serbench.studies.deploy.results import FILE

        own = run.folder / self.name / FILE
        return self.of_files([run], [own]) if own.is_file() else ()

    def of_files(self, runs: Sequence[StoredRun], files: Sequence[Path]) -> tuple[StudyRecord, ...]:
        """Records of results of the runs, measured here or on other devices.

        Raises:
            StoreError: a file cannot be read, is damaged, or belongs to none of the runs.
        """
        from serbench.studies.conduct import marked, record_of
        from serbench.studies.deploy.show import deployments_of, show_results

        return tuple(
            record_of(
                self,
                DeployParams(
                    method=results.run.method,
                    seed=results.run.seed,
                    threads=results.settings.threads,
                    rounds=results.settings.rounds,
                ),
                (run.name,),
                marked(show_results(results, run)),
            )
            for results, run in deployments_of(runs, files)
        )
