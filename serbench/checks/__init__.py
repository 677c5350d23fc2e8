"""Is it right? Checks of splits, corpora, runs and results."""
