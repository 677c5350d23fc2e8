"""Students that inherit weights, loaded through an entry point like any plugin."""
