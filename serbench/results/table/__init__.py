"""Tables, each described once and shown as Markdown, CSV, LaTeX, HTML, and on the console.

A table is made from columns (``columns``) that have a format for their values (``formats``). The
result is plain text and numbers (``table``), so that it can be saved and shown without the code
that made it.
"""
