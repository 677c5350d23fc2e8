"""The guard for anybody's splits: what two parts of a fold share, and should not."""

from serbench.audit.audio import Recording, Watch, find_audio, read_recordings
from serbench.audit.identify import identify_by_corpus, identify_by_name
from serbench.audit.readers import ACCEPTED, Format, read_splits
from serbench.audit.records import Audit, Check, Finding, Fold, Side, Unit
from serbench.audit.rows import PARTS, AuditRow, Part, SplitFile
from serbench.audit.run import audit
from serbench.audit.text import finding_lines, fold_table, header_lines, legend, verdict

__all__ = [
    "ACCEPTED",
    "PARTS",
    "Audit",
    "AuditRow",
    "Check",
    "Finding",
    "Fold",
    "Format",
    "Part",
    "Recording",
    "Side",
    "SplitFile",
    "Unit",
    "Watch",
    "audit",
    "find_audio",
    "finding_lines",
    "fold_table",
    "header_lines",
    "identify_by_corpus",
    "identify_by_name",
    "legend",
    "read_recordings",
    "read_splits",
    "verdict",
]
