"""Files written whole, caches, and digests of source."""
