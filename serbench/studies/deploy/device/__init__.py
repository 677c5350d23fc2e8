"""The parts of a bundle besides its models: one script, and how to use it."""
