"""Shows an explanation as sentences, tables, a figure, and a row for each utterance."""

from __future__ import annotations

from serbench.api import StoreError
from serbench.results.compare.names import display_name
from serbench.results.table.files import rows_csv
from serbench.running.store.finished import StoredRun
from serbench.studies.explain.cases import by_utterance
from serbench.studies.explain.figure import explanation_figure
from serbench.studies.explain.load import Explanation, load_explanation
from serbench.studies.explain.statements import statements, title
from serbench.studies.explain.tables import explanation_tables
from serbench.studies.study import Shown


def show_explanation(found: Explanation, top: int) -> Shown:
    """Show an explanation.

    Args:
        found: the explanation.
        top: number of utterances to list.
    """
    return Shown(
        title=title(found),
        heading=heading(found.method),
        certificates=(found.run.certificate,),
        lines=tuple(statements(found)),
        tables=tuple(explanation_tables(found, top)),
        figures=(explanation_figure(found),),
        files={"gate.csv": gate_rows(found)},
    )


def shown_of(run: StoredRun, method: str, top: int) -> Shown:
    """Show the explanation of a run's method, or the reason if its readings cannot be read."""
    try:
        return show_explanation(load_explanation(run, method), top)
    except StoreError as error:
        named = heading(method)
        return Shown(named, (run.certificate,), (), lines=(str(error),), heading=named)


def heading(method: str) -> str:
    """The heading of a method's section."""
    return f"Trust in teachers: {display_name(method)}"


def gate_rows(found: Explanation) -> str:
    """The text of ``gate.csv``: a row for each utterance, first those on which the gate closes."""
    rows = by_utterance(found.cases, found.labels)
    rows.insert(0, "protocol", found.run.certificate.protocol)
    rows["certificate"] = found.run.certificate.digest
    return rows_csv(rows)
