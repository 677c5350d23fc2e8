"""Ablation: what each part of a method contributes."""
