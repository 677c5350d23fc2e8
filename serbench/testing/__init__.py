"""For plugin authors: the contract suite, as named checks or as one call.

Every kind of plugin has a generator of named checks, one test for each::

    import pytest
    from serbench.testing import student_checks


    @pytest.mark.parametrize("check", [*student_checks(MyStudent)], ids=str)
    def test_my_student(check):
        check()

It also has a function that runs them all and reports all failures together::

    from serbench.testing import check_student


    def test_my_student():
        check_student(MyStudent)
"""

from serbench.testing.backend import ProbeStudent, backend_checks, check_backend, probe_model
from serbench.testing.checks import Check
from serbench.testing.corpus import (
    check_corpus,
    check_corpus_card,
    corpus_card_checks,
    corpus_checks,
)
from serbench.testing.estimator import check_estimator, estimator_checks
from serbench.testing.front_end import check_front_end, front_end_checks
from serbench.testing.loss import check_loss, loss_checks
from serbench.testing.student import check_student, student_checks
from serbench.testing.teacher import check_teacher, teacher_checks
from serbench.testing.tracker import check_tracker, tracker_checks

__all__ = [
    "Check",
    "ProbeStudent",
    "backend_checks",
    "check_backend",
    "check_corpus",
    "check_corpus_card",
    "check_estimator",
    "check_front_end",
    "check_loss",
    "check_student",
    "check_teacher",
    "check_tracker",
    "corpus_card_checks",
    "corpus_checks",
    "estimator_checks",
    "front_end_checks",
    "loss_checks",
    "probe_model",
    "student_checks",
    "teacher_checks",
    "tracker_checks",
]
