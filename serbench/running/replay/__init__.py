"""A finished run, opened to predict again: its students, its teachers' heads, its folds."""
