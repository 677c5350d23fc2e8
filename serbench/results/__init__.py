"""From stored runs to comparisons, tables, figures, pages and the site."""
