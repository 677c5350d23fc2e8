"""Diagnosis of the installation: what it has, what it can use, and what is broken or missing."""
