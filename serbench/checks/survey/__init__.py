"""Checks of a corpus before it is used as a benchmark: everything that would make its scores
meaningless.

``survey`` reads every file once and returns a ``Survey`` of findings; ``survey_page`` writes it as
a page. The checks are functions of utterances and of measurements of their sound, one module for
each kind: ``counts``, ``audio``, ``copies``, ``confounding``, ``folds``.
"""
