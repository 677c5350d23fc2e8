"""For plugin authors: the contract suite as plain functions, to be called from any test.

Each raises ``AssertionError`` with one clear message::

    from serbench.testing import check_student


    def test_my_student():
        check_student(MyStudent)
"""

from serbench.testing.backend import ProbeStudent, check_backend, probe_model
from serbench.testing.corpus import check_corpus, check_corpus_card
from serbench.testing.loss import check_loss
from serbench.testing.student import check_student
from serbench.testing.teacher import check_teacher
from serbench.testing.tracker import check_tracker

__all__ = [
    "ProbeStudent",
    "check_backend",
    "check_corpus",
    "check_corpus_card",
    "check_loss",
    "check_student",
    "check_teacher",
    "check_tracker",
    "probe_model",
]
