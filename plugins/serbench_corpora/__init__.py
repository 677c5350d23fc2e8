"""The corpora of the serbench distribution, loaded through an entry point like any plugin."""
