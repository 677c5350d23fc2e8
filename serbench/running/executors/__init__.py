"""Executors compute the independent pieces of a run: on this machine, on Dask, or on Ray."""
