"""A start for plugin authors: a whole distribution, written from templates."""
