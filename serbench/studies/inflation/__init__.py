"""Inflation: how far deliberately broken protocols inflate scores."""
