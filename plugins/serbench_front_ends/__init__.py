"""Front ends; loaded through an entry point, as a stranger's plugin is."""
