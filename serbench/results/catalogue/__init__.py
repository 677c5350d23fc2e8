"""The runs that are stored: listed without reading them whole, and held against each other.

``entries`` and ``choose`` import nothing heavy, so that a list of hundreds of runs is quick;
``pairing`` reads predictions.
"""
