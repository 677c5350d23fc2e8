"""What came out of runs: comparisons, tables, figures, reports, pages and the site."""
