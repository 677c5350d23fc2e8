"""Recompute a stored run's claims from its corpus and its plan, and report every difference."""
