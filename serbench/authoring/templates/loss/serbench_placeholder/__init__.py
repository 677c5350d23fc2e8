"""The loss ``placeholder`` for serbench."""
