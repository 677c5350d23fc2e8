"""``report.html`` on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.files.atomic import write_atomically
from serbench.results.pages.report import report_page
from serbench.results.record import OfRuns, no_studies
from serbench.results.report.results import load_results
from serbench.results.report.write import check_output

NAME = "report.html"


def write_html_report(
    folders: Sequence[Path],
    output: Path,
    deploy_files: Sequence[Path] = (),
    studies_of: OfRuns = no_studies,
) -> Path:
    """Write the page of one run, or of several, into ``output``.

    Args:
        folders: of the runs.
        output: made where needed.
        deploy_files: see ``report_page``.
        studies_of: finds what studies have to show of the runs.

    Returns:
        The path of ``report.html``.

    Raises:
        StoreError: as ``serbench.results.report.write.write_combined_report`` and ``report_page``.
    """
    check_output(output, folders)
    results = load_results(folders)
    text = report_page(results, deploy_files, studies=studies_of(results.runs))
    path = output / NAME
    write_atomically(path, text.encode())
    return path
