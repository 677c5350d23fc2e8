"""Run benchmarks and read their results: what Python code calls, and the command line, too."""
