"""The front end ``placeholder`` for serbench."""
