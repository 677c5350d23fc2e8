"""From a user's request to the complete plan of a run, before anything is run."""
