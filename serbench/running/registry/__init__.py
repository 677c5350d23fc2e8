"""The registry: names of datasets, label maps, teachers, students, losses, backends, trackers,
methods, profiles and ablations.
"""
