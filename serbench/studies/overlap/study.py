"""``serbench overlap``: the same trained students, scored with other test windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serbench.studies.study import Shown, Study, option

if TYPE_CHECKING:
    from serbench.studies.opened import Opened
    from serbench.studies.overlap.records import Overlaps

HELP = """Score a run's trained students with test windows at several overlaps.

Nothing is trained or chosen: folds, students and the mean posterior over an utterance's windows
stay as they were. Writes overlap.md, .csv, .tex, .html, .png, .pdf and .svg, and prints the
table, which also says how many utterances are longer than one window.

Examples:

  serbench overlap runs/emodb-akd --data-dir ~/corpora/emodb

  serbench overlap emodb-akd --overlap 0 --overlap 1.5 --method akd
"""


@dataclass(frozen=True, slots=True)
class OverlapParams:
    """Options of ``serbench overlap``."""

    overlap: tuple[float, ...] = option(
        (0.0, 0.25, 0.5),
        "Overlap of test windows in seconds. Repeatable; differences are to the first. Default: "
        "0, 0.25 and 0.5.",
        metavar="SECONDS",
    )
    method: tuple[str, ...] = option((), "Score only this method. Repeatable.", flag="-m")


class OverlapStudy(Study[OverlapParams, "Overlaps"]):
    """The overlap of test windows."""

    name = "overlap"
    title = "Overlap of test windows"
    help = HELP
    params = OverlapParams

    def measure(self, opened: Opened, params: OverlapParams) -> Overlaps:
        """See ``Study``."""
        from serbench.studies.overlap.measure import measure_overlap

        return measure_overlap(opened.replay, params.overlap, params.method, opened.executor)

    def show(self, found: Overlaps, params: OverlapParams) -> Shown:  # noqa: ARG002 - all is found
        """See ``Study``."""
        from serbench.studies.overlap.show import show_overlap

        return show_overlap(found)
