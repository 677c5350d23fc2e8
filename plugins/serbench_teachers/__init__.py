"""Teachers, loaded through an entry point like any plugin."""
