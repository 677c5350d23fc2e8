"""Recomputes a stored run's claims from its corpus and its plan, and reports every difference."""
