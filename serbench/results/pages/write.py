"""``report.html`` on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serbench.files.atomic import write_atomically
from serbench.results.pages.report import report_page
from serbench.results.report.results import load_results
from serbench.results.report.write import check_output

NAME = "report.html"


def write_html_report(
    folders: Sequence[Path], output: Path, deploy_files: Sequence[Path] = ()
) -> Path:
    """Write the page of one run, or of several, into ``output``.

    Returns:
        The path of ``report.html``.

    Raises:
        StoreError: as ``serbench.results.report.write.write_combined_report`` and ``report_page``.
    """
    check_output(output, folders)
    text = report_page(load_results(folders), deploy_files)
    path = output / NAME
    write_atomically(path, text.encode())
    return path
