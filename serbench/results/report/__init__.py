"""Makes tables and figures from stored runs."""
