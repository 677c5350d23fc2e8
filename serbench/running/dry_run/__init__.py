"""Reports what a run would do, and how long it would take, without running it."""
