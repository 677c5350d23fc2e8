"""Students that inherit, loaded through an entry point like any plugin."""
