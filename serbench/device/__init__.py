"""Takes trained weights to a device that answers, without torch if possible."""
