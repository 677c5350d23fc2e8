"""A corpus of one's own from a folder: its grammar guessed from names, its entry written.

``guess`` finds which part of the names is the emotion, which the speaker and which the sentence;
``understand`` reads all names so; ``make_entry`` and ``append_entry`` write what was understood.
"""
