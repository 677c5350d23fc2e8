"""Everything from a registry and a plan to a stored run."""
