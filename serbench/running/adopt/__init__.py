"""A corpus from a user's folder: its grammar is guessed from names, and its entry is written.

``guess`` finds which part of the names is the emotion, the speaker and the sentence; ``understand``
reads all names by it; ``make_entry`` and ``append_entry`` write the result.
"""
