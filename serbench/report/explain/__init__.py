"""How far a method trusts its teachers, utterance by utterance: weights, gate, β."""

from serbench.report.explain.cases import Tally, tally
from serbench.report.explain.load import Explanation, load_explanation
from serbench.report.explain.page import write_explanation
from serbench.report.explain.tables import explanation_tables, statements

__all__ = [
    "Explanation",
    "Tally",
    "explanation_tables",
    "load_explanation",
    "statements",
    "tally",
    "write_explanation",
]
