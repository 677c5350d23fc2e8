"""Complete files, caches, and digests of source code."""
