"""Run benchmarks and read their results: what Python code calls, and the command line, too."""

import warnings

# Libraries that plugins import would ask every notebook for ipywidgets; serbench needs none.
warnings.filterwarnings("ignore", message="IProgress not found", module="tqdm")
