"""The catalogue of stored runs: lists them without reading all files, and compares two of them.

``entries`` and ``choose`` import nothing heavy, so that a list of hundreds of runs is quick;
``pairing`` reads predictions.
"""
