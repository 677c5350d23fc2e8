"""Paired statistics of methods that were tested on the same utterances."""
