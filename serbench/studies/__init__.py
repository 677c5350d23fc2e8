"""Studies of a finished run: each measures, writes its tables and figures, and prints."""
