"""Classifiers like those of scikit-learn, imported when one is made."""
