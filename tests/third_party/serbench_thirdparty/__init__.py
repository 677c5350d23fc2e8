"""A corpus, a student and a loss for serbench, from outside of it."""
