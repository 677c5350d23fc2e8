"""A start for authors of plugins: a whole distribution, written from templates."""
