"""The backend ``placeholder`` for serbench."""
