"""Methods to compare the flagship method with, loaded through an entry point like any plugin."""
