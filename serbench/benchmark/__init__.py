"""Run benchmarks and read their results, from Python and for the command line."""

import warnings

# Libraries that plugins import would ask every notebook for ipywidgets; serbench needs none.
warnings.filterwarnings("ignore", message="IProgress not found", module="tqdm")
