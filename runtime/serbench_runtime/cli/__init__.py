"""The commands for devices, and shared code for printing and ending commands."""
