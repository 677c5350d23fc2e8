"""Turns stored runs into comparisons, tables, figures, pages and the site."""
