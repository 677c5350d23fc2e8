"""Where the independent pieces of a run are computed: on this machine, on Dask, or on Ray."""
