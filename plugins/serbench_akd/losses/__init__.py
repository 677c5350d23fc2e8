"""The losses as torch modules, which are imported when a loss is built."""
