"""The registry: the names of datasets, label maps, teachers, front ends, students, losses,
backends, trackers, methods, profiles, ablations and suites.
"""
