"""The teacher ``placeholder`` for serbench."""
