"""Recompute a stored run's claims from its corpus and its plan, and tell every difference."""

from serbench.verify.findings import Finding
from serbench.verify.run import verify

__all__ = ["Finding", "verify"]
