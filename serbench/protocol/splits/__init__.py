"""Outer and inner folds, as partitions of utterance ids that are grouped by speaker or session.

Folds are only made here. ``serbench.protocol.guard`` proves that they have no leaks, and does not
trust this package.
"""
