"""Writes ``report.html``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.files.atomic import write_text
from serbench.results.pages.report import report_page
from serbench.results.record import OfRuns, no_studies
from serbench.results.report.build import Adds, nothing_more
from serbench.results.report.results import load_results
from serbench.results.report.write import check_output

NAME = "report.html"


def write_html_report(
    folders: Sequence[Path], output: Path, adds: Adds = nothing_more, studies: OfRuns = no_studies
) -> Path:
    """Write the page of one run, or of several, into ``output``.

    Args:
        folders: folders of the runs.
        output: see ``serbench.results.report.write.write_report``.
        adds: likewise.
        studies: finds the records of studies about these runs.

    Returns:
        The path of ``report.html``.

    Raises:
        StoreError: see ``write_report``; a study's record is damaged, or of another run.
    """
    check_output(output, folders)
    results = load_results(folders)
    text = report_page(results, studies(results.runs), adds(results))
    path = output / NAME
    write_text(path, text)
    return path
