"""The student ``placeholder`` for serbench."""
