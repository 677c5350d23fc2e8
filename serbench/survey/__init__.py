"""What a corpus is worth as a benchmark: everything that would make scores on it mean nothing.

``survey`` reads every file once and gives a ``Survey`` of findings; ``survey_page`` writes it as a
page. The checks are functions of utterances and of what was heard in them, one module for each
kind: ``counts``, ``audio``, ``copies``, ``confounding``, ``folds``.
"""

from serbench.survey.page import survey_page
from serbench.survey.records import CHECKS, Evidence, Finding, Survey, verdict
from serbench.survey.run import survey
from serbench.survey.sound import Sound, listen

__all__ = [
    "CHECKS",
    "Evidence",
    "Finding",
    "Sound",
    "Survey",
    "listen",
    "survey",
    "survey_page",
    "verdict",
]
