"""Trackers: a part of serbench that is loaded through an entry point like any plugin."""
