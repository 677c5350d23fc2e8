"""The guard. The harness calls it; no plugin can.

Everything here trusts the corpus table and nothing else: what partitions, segments and records
say of themselves is held against the table.
"""

from serbench.leakage.canary import FEWEST_REPEATS, CanaryResult, canary_result, check_canary
from serbench.leakage.certificate import (
    LEAKS,
    SCHEMA_VERSION,
    AudioRecord,
    Certificate,
    Check,
    FoldSide,
    FoldSummary,
    Reading,
    TeacherRecord,
)
from serbench.leakage.certify import BREAKS, Evidence, certify
from serbench.leakage.checks import (
    TextOverlap,
    Window,
    check_coverage,
    check_duplicates,
    check_near_duplicates,
    check_nested,
    check_segments,
    check_split,
    check_utterances,
    text_overlap,
)
from serbench.leakage.corpora import check_distinct
from serbench.leakage.near import NearPair, near_duplicates
from serbench.leakage.pretraining import Provenance, check_pretraining, provenance
from serbench.leakage.seal import Opening, Seal, predictions_digest
from serbench.leakage.view import FittedRecord, PartitionView, id_set_digest

__all__ = [
    "BREAKS",
    "FEWEST_REPEATS",
    "LEAKS",
    "SCHEMA_VERSION",
    "AudioRecord",
    "CanaryResult",
    "Certificate",
    "Check",
    "Evidence",
    "FittedRecord",
    "FoldSide",
    "FoldSummary",
    "NearPair",
    "Opening",
    "PartitionView",
    "Provenance",
    "Reading",
    "Seal",
    "TeacherRecord",
    "TextOverlap",
    "Window",
    "canary_result",
    "certify",
    "check_canary",
    "check_coverage",
    "check_distinct",
    "check_duplicates",
    "check_near_duplicates",
    "check_nested",
    "check_pretraining",
    "check_segments",
    "check_split",
    "check_utterances",
    "id_set_digest",
    "near_duplicates",
    "predictions_digest",
    "provenance",
    "text_overlap",
]
