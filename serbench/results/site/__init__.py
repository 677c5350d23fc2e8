"""Many runs as a static site: tables to sort and filter, a page for each corpus and each run."""
