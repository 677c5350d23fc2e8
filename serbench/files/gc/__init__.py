"""Cleaning the cache: its content, what can be removed, and removing exactly that."""
