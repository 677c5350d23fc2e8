"""The regression gate: a run compared with a golden file, for continuous integration.

Nothing is imported here: a worker, whose start is measured, imports a module below.
"""
