"""The overlap of test windows: the same trained students, scored with other windows."""
