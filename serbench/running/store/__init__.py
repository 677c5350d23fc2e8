"""Where results live: one folder per run, and a cache of fits that runs share.

Every file is written under a temporary name, flushed to the disk and renamed, so that a process
killed at any moment leaves either the old file or the new one.
"""
