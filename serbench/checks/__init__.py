"""Checks of splits, corpora, runs and results."""
