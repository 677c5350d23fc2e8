"""The corpus ``placeholder`` for serbench."""
