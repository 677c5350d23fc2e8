"""Collects everything that studies can show of finished runs, for pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.results.record import StoredStudies, StudyRecord, stored_studies
from serbench.running.store.finished import StoredRun
from serbench.studies.deploy.results import FILE
from serbench.studies.registered import DEPLOY, STUDIES


def studies_of(runs: Sequence[StoredRun], files: Sequence[Path] = ()) -> StoredStudies:
    """Records that studies saved in runs' folders, and records that others make without a command.

    Args:
        runs: the runs of one page.
        files: ``results.json`` of ``serbench deploy`` from other places.

    Raises:
        StoreError: a file is damaged, of another version or of another run.
    """
    found: list[StudyRecord] = []
    outdated: list[str] = []
    for run in runs:
        shown = [record for study in STUDIES for record in study.of_run(run)]
        names = {record.study for record in shown}
        stored = stored_studies(run)
        found += shown
        found += (each for each in stored.records if each.study not in names)
        outdated += (place for place in stored.outdated if place.split("/")[-1] not in names)
    own = {(run.folder / DEPLOY.name / FILE).resolve() for run in runs}
    elsewhere = [path for path in files if path.resolve() not in own]
    return StoredStudies((*found, *DEPLOY.of_files(runs, elsewhere)), tuple(outdated))
