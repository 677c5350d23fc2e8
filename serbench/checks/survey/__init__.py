"""What a corpus is worth as a benchmark: everything that would make scores on it mean nothing.

``survey`` reads every file once and gives a ``Survey`` of findings; ``survey_page`` writes it as a
page. The checks are functions of utterances and of what was heard in them, one module for each
kind: ``counts``, ``audio``, ``copies``, ``confounding``, ``folds``.
"""
