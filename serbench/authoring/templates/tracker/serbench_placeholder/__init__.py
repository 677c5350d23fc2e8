"""The tracker ``placeholder`` for serbench."""
