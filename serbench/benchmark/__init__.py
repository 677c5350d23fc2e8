"""Runs benchmarks and reads their results, from Python and for the command line."""

import warnings

# Without this, libraries that plugins import would ask for ipywidgets in every notebook.
warnings.filterwarnings("ignore", message="IProgress not found", module="tqdm")
