"""All that studies have to show of finished runs, for pages."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.results.record import Stored, StudyRecord, stored_studies
from serbench.running.store.finished import Run
from serbench.studies.registered import STUDIES


def studies_of(runs: Sequence[Run]) -> Stored:
    """What studies left in runs' folders, and what others show of them without being asked.

    Raises:
        StoreError: a record is damaged, of another version or of another run.
    """
    records: list[StudyRecord] = []
    outdated: list[str] = []
    for run in runs:
        shown = [record for study in STUDIES for record in study.of_run(run)]
        names = {record.study for record in shown}
        stored = stored_studies(run)
        records += [*shown, *(record for record in stored.records if record.study not in names)]
        outdated += [place for place in stored.outdated if place.split("/")[-1] not in names]
    return Stored(tuple(records), tuple(outdated))
