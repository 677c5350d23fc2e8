"""The deployment study in files."""

from __future__ import annotations

from pathlib import Path

from serbench.files.atomic import write_atomically
from serbench.results.figure.png import png
from serbench.results.report.write import check_output
from serbench.results.table.files import markdown, table_texts
from serbench.studies.deploy.figure import deploy_figure
from serbench.studies.deploy.results import write_results
from serbench.studies.deploy.study import DeployStudy
from serbench.studies.deploy.tables import deploy_tables, paper_table

NAME = "deploy"
"""The stem of the files."""

CLAIMED = "## For comparison: what the paper claims"


def write_deploy(study: DeployStudy, folder: Path) -> Path:
    """Write ``deploy.md``, ``.csv``, ``.tex``, ``.html`` and ``results.json``.

    Where anything was timed, ``deploy.png`` as well.

    Returns:
        The path of ``deploy.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    check_output(folder, ())
    page = folder / f"{NAME}.md"
    write_results(study.results, folder / "results.json")
    texts = table_texts(deploy_tables(study))
    claimed = markdown(paper_table(), "none; nothing of it was run here")
    texts[".md"] = "\n".join([texts[".md"], CLAIMED, "", claimed])
    for suffix, text in texts.items():
        write_atomically(page.with_suffix(suffix), text.encode())
    if (figure := deploy_figure(study.results)).panels:
        write_atomically(page.with_suffix(".png"), png(figure))
    return page
