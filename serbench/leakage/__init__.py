"""The guard. The harness calls it; no plugin can.

Everything here trusts the corpus table and nothing else: what partitions, segments and records
say of themselves is held against the table.
"""

from serbench.leakage.certificate import (
    LEAKS,
    Certificate,
    Check,
    FoldSide,
    FoldSummary,
    certify,
)
from serbench.leakage.checks import (
    TextOverlap,
    Window,
    check_coverage,
    check_duplicates,
    check_nested,
    check_segments,
    check_split,
    text_overlap,
)
from serbench.leakage.seal import Opening, Seal
from serbench.leakage.view import FittedRecord, PartitionView, id_set_digest

__all__ = [
    "LEAKS",
    "Certificate",
    "Check",
    "FittedRecord",
    "FoldSide",
    "FoldSummary",
    "Opening",
    "PartitionView",
    "Seal",
    "TextOverlap",
    "Window",
    "certify",
    "check_coverage",
    "check_duplicates",
    "check_nested",
    "check_segments",
    "check_split",
    "id_set_digest",
    "text_overlap",
]
