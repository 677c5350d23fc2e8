"""From what the user asked for to everything that will be run, before anything is run."""
