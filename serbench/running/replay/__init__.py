"""Opens a finished run to predict again: its students, its teachers' heads, its folds."""
