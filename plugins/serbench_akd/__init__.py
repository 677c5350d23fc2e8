"""Adaptive knowledge distillation: the `akd` loss and the `hybrid` student."""
