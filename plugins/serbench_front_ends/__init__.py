"""Front ends, loaded through an entry point like any plugin."""
