"""From trained weights to an answer on a device, without torch where possible."""
