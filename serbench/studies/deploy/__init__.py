"""The deployment table: a run's trained students through every backend.

Nothing is imported here: a worker, whose start and memory are measured, is a module below.
"""
