"""What the flagship is held against; loaded through an entry point, as a stranger's plugin is."""
