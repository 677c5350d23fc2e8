"""Makes a distribution from templates, as a start for plugin authors."""
