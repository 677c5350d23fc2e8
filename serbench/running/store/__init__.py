"""Storage of results: one folder per run, and a cache of fits that runs share.

Every file is written under a temporary name, flushed to disk and renamed, so that either the old or
the new file exists if the process is killed at any moment.
"""
