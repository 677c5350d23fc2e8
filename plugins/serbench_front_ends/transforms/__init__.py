"""The front ends as modules of torch, imported when a front end is built."""
