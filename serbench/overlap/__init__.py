"""The overlap of test windows: the same trained students, scored with other windows."""

from serbench.overlap.measure import DEFAULT_OVERLAPS_S, OverlapStudy, measure_overlap
from serbench.overlap.output import overlap_table, render_overlap, write_overlap

__all__ = [
    "DEFAULT_OVERLAPS_S",
    "OverlapStudy",
    "measure_overlap",
    "overlap_table",
    "render_overlap",
    "write_overlap",
]
