"""Classifiers of scikit-learn's kind, imported when one is made."""
