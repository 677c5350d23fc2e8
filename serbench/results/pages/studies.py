"""What studies found of runs, as sections of their page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from serbench.results.record import StudyRecord
from serbench.results.templating import templates


@dataclass(frozen=True, slots=True)
class StudySection:
    """A section of the page.

    Attributes:
        anchor: distinct on the page.
        html: the whole section.
    """

    anchor: str
    title: str
    html: Markup


def study_sections(records: Sequence[StudyRecord], *, named: bool) -> Iterator[StudySection]:
    """One for each record.

    Args:
        records: in the page's order.
        named: whether titles say of which run they are: on a page of several.
    """
    template = templates().get_template("study.html.j2")
    for number, record in enumerate(records, start=1):
        anchor = f"study-{record.study}" + (f"-{number}" if _twice(records, record) else "")
        title = f"{record.title}: {', '.join(record.runs)}" if named else record.title
        # Anchors of figures and tables are distinct on a page.
        figures = tuple(
            replace(each, name=f"{anchor}-{each.name}-figure") for each in record.figures
        )
        text = template.render(record=replace(record, figures=figures), slug=anchor, title=title)
        yield StudySection(anchor, title, Markup(text))  # noqa: S704 - the template escapes


def _twice(records: Sequence[StudyRecord], record: StudyRecord) -> bool:
    return sum(each.study == record.study for each in records) > 1
