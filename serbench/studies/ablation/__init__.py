"""Ablation: what each part of a method brings."""
