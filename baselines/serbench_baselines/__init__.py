"""Methods that the flagship is compared with, loaded through an entry point like any plugin."""
