"""Self-contained HTML pages: they load no script, style, font or image.

How to make a page on the same base: write a template that extends ``base.html.j2``, fill its
blocks, and render it with :func:`page`::

    {% extends "base.html.j2" %}
    {% import "parts.html.j2" as parts %}
    {% block subtitle %}<p class="lead">What this page is about.</p>{% endblock %}
    {% block content %}
    <section id="methods" aria-labelledby="methods-title">
      <h2 id="methods-title">Methods</h2>
      {{ parts.table(table, id="methods-table", sortable=true, filterable=true) }}
    </section>
    {% endblock %}

Values that the base itself reads: ``title``; ``contents``, the in-page table of contents as
``(anchor, text)`` pairs; ``alarms``, texts that must be at the top in red, such as the mark of a
leaky run; ``warnings``, the same in a quieter style. Everything is escaped, so give text without
escaping it.

Tables: ``data-sortable`` on a ``<table>`` makes its headings buttons, ``data-filterable`` adds a
search field above it, and ``data-filter`` on a ``<th>`` a menu of that column's values; a cell's
``data-value`` is the sort key if the text is not. The script adds all of this: without a script,
the page has the same content.
"""
