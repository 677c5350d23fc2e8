"""Self-contained HTML pages: no script, style, font or image from outside.

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
``(anchor, text)`` pairs; ``alarms``, what must stand at the top in red, such as the mark of a leaky
run; ``warnings``, likewise but calmer. Everything is escaped: text goes in as it is.

Tables: ``data-sortable`` on a ``<table>`` makes its headings buttons, ``data-filterable`` adds a
search field above it, and ``data-filter`` on a ``<th>`` a menu of that column's values; a cell's
``data-value`` is what is sorted by where the text is not. All of it is added by the script: without
one, the page reads the same.
"""
