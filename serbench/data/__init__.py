"""Audio and corpora."""
