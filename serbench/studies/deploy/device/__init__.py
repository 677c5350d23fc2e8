"""What a bundle holds besides models: one script, and how to use it."""
