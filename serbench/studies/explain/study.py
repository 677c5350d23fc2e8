"""``serbench explain``: how far a method trusts its teachers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serbench.studies.study import Shown, Study, option

if TYPE_CHECKING:
    from serbench.results.record import StudyRecord
    from serbench.running.store.finished import StoredRun
    from serbench.studies.explain.load import Explanation
    from serbench.studies.opened import Opened

HELP = """Show where the gate closes, and whether the teacher was wrong there.

Prints tables by fold, class and speaker, and writes explain.md, .csv, .tex, .html, gate.csv (every
utterance) and explain.png, .pdf, .svg: gate, task weight and teacher weights over training. It is
about training utterances only: no test data is used.

Examples:

  serbench explain runs/emodb-akd

  serbench explain emodb-akd-vanilla-kd --method akd --top 50 --output akd-gate
"""


LISTED = 10
"""Utterances that a page lists by default."""


@dataclass(frozen=True, slots=True)
class ExplainParams:
    """Options of ``serbench explain``."""

    method: str | None = option(
        None, "Method to explain. Needed if several methods of the run have a gate.", flag="-m"
    )
    top: int = option(20, "Number of utterances to list on which the gate closes.", least=1)


class ExplainStudy(Study[ExplainParams, "Explanation"]):
    """Trust in teachers."""

    name = "explain"
    title = "Trust in teachers"
    help = HELP
    params = ExplainParams
    replays = False

    def measure(self, opened: Opened, params: ExplainParams) -> Explanation:
        """See ``Study``."""
        from serbench.studies.explain.load import load_explanation

        return load_explanation(opened.run, params.method)

    def show(self, found: Explanation, params: ExplainParams) -> Shown:
        """See ``Study``."""
        from serbench.studies.explain.show import show_explanation

        return show_explanation(found, params.top)

    def of_run(self, run: StoredRun) -> tuple[StudyRecord, ...]:
        """Records of every method that has readings, or the reason if they cannot be read."""
        from serbench.studies.conduct import marked, record_of
        from serbench.studies.explain.load import explained_methods
        from serbench.studies.explain.show import shown_of

        return tuple(
            record_of(
                self,
                ExplainParams(method, LISTED),
                (run.name,),
                marked(shown_of(run, method, LISTED)),
            )
            for method in explained_methods(run)
        )
