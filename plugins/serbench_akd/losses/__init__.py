"""The losses as modules of torch, imported when a loss is built."""
