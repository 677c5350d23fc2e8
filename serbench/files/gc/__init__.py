"""Cleans the cache: finds its entries, chooses those to remove, and removes exactly these."""
