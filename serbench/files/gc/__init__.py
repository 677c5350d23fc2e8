"""Cleaning the cache: what is in it, what of it can go, and removing exactly that."""
