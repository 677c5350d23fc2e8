"""A finished run, opened to predict again: its students, its teachers' heads, its folds."""

from serbench.replay.run import POST_HOC, Replay
from serbench.replay.stored import Stored, fold_source, read_corpus
from serbench.replay.students import TOLERANCE, StoredStudent, predict_windows, stored_students

__all__ = [
    "POST_HOC",
    "TOLERANCE",
    "Replay",
    "Stored",
    "StoredStudent",
    "fold_source",
    "predict_windows",
    "read_corpus",
    "stored_students",
]
