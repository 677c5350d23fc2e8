"""The front ends as torch modules, which are imported when a front end is built."""
