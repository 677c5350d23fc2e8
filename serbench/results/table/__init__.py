"""One table, described once: Markdown, CSV, LaTeX, HTML, and a table for the console.

A table is made of columns (``columns``) that know how their values are read (``formats``). What is
made is plain text and numbers (``table``), so that it can be saved and shown without its makers.
"""
