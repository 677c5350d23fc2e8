"""A finished run's students, pruned, fine-tuned inside their folds, and scored."""
