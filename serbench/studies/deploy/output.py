"""The deployment study in files."""

from __future__ import annotations

from pathlib import Path

from serbench.files.atomic import write_atomically
from serbench.results.report import figures, render
from serbench.results.report.tables import Table
from serbench.results.report.write import check_output
from serbench.studies.deploy.figure import deploy_figure
from serbench.studies.deploy.results import write_results
from serbench.studies.deploy.study import DeployStudy
from serbench.studies.deploy.tables import deploy_data, deploy_tables, paper_table

NAME = "deploy"
"""The stem of the files."""

CLAIMED = "## For comparison: what the paper claims"


def write_deploy(study: DeployStudy, folder: Path) -> Path:
    """Write ``deploy.md``, ``.csv``, ``.tex``, ``.html``, ``.png`` and ``results.json``.

    Returns:
        The path of ``deploy.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    check_output(folder, ())
    digest = study.certificate.digest
    tables = deploy_tables(study)
    page = folder / f"{NAME}.md"
    write_results(study.results, folder / "results.json")
    write_atomically(page, _page(tables, digest).encode())
    numbers = deploy_data(study).to_csv(index=False, lineterminator="\n", float_format="%.9g")
    write_atomically(page.with_suffix(".csv"), numbers.encode())
    latex = "\n".join(render.latex(table, digest) for table in tables)
    write_atomically(page.with_suffix(".tex"), latex.encode())
    write_atomically(page.with_suffix(".html"), render.html_document(tables, digest).encode())
    write_atomically(page.with_suffix(".png"), figures.png(deploy_figure(study)))
    return page


def _page(tables: tuple[Table, ...], digest: str) -> str:
    parts = [render.markdown(table, f"`{digest}`") for table in tables]
    claimed = render.markdown(paper_table(), "none; nothing of it was run here")
    return "\n".join([*parts, CLAIMED, "", claimed])
