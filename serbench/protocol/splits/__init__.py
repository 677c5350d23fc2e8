"""Outer and inner folds, as partitions of utterance ids that are grouped by speaker or session.

Folds are only made here; that they leak nothing is proved by
``serbench.protocol.guard``, which trusts none of what this package says.
"""
