"""An explanation on the disk: a page, a row for each utterance, a figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from serbench.files.atomic import write_atomically
from serbench.files.digests import shown_digest
from serbench.results.report import figures, render
from serbench.results.report.marks import warning_lines
from serbench.results.report.write import check_output
from serbench.studies.explain.cases import by_utterance
from serbench.studies.explain.figure import explanation_figure
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.tables import explanation_tables, statements, title


def write_explanation(explanation: Explanation, folder: Path, top: int) -> Path:
    """Write ``explain.md``, ``gate.csv`` and ``explain.png`` into ``folder``.

    Args:
        explanation: what to write of.
        folder: made where it is missing.
        top: utterances that the page lists.

    Returns:
        The path of ``explain.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    check_output(folder, ())
    page = folder / "explain.md"
    write_atomically(folder / "gate.csv", gate_rows(explanation).encode())
    write_atomically(folder / "explain.png", figures.png(explanation_figure(explanation)))
    write_atomically(page, explanation_page(explanation, top).encode())
    return page


def gate_rows(explanation: Explanation) -> str:
    """``gate.csv``: a row for each utterance, the gate's first."""
    rows: pd.DataFrame = by_utterance(explanation.cases, explanation.labels)
    rows.insert(0, "protocol", explanation.run.certificate.protocol)
    rows["certificate"] = explanation.run.certificate.digest
    return rows.to_csv(index=False, lineterminator="\n", float_format="%.6f")


def explanation_page(explanation: Explanation, top: int) -> str:
    """``explain.md``."""
    certificate = explanation.run.certificate
    tables = explanation_tables(explanation, top)
    return (
        render.templates()
        .get_template("explain.md.j2")
        .render(
            title=title(explanation),
            warnings=warning_lines([certificate]),
            statements=statements(explanation),
            tables=[
                render.markdown(table, f"`{shown_digest(certificate.digest)}`") for table in tables
            ],
        )
    )
