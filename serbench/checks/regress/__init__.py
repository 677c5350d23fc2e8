"""The regression gate: a run compared with golden results, for continuous integration.

Nothing is imported here: a worker, whose start is measured, imports a module below.
"""
