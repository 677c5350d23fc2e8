"""Makes the complete plan of a run from a user's request, before anything is run."""
