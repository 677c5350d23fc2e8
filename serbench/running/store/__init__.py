"""Storage of results: one folder per run, and a cache of fits that runs share.

Every file is written under a temporary name, flushed to disk and renamed, so that a process killed
at any moment leaves either the old or the new file.
"""
