"""Makes a corpus of a user's folder: guesses its grammar from file names, and writes its entry.

``guess`` finds which part of the names is the emotion, the speaker and the sentence; ``understand``
reads all names with this grammar; ``make_entry`` and ``append_entry`` write the result.
"""
