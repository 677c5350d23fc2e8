"""Makes a page from a template, with styles and script inside, everything escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import metadata, resources

from markupsafe import Markup

from serbench.results.figure.palette import COLOURS, DARK_COLOURS
from serbench.results.figure.svg.draw import drawings
from serbench.results.figure.svg.elements import SPRITE, swatch
from serbench.results.templating import PACKAGE, templates


def page(title: str, template: str, *, package: str = PACKAGE, **values: object) -> str:
    """Make a whole page, to be written to one file.

    Args:
        title: title of the page, as text.
        template: name of a file in ``package``'s folder ``templates``; it extends
            ``base.html.j2``.
        package: a package whose templates are searched before those of this one.
        values: what the template reads, as text; ``Markup`` is not escaped.

    Returns:
        The page's HTML.

    Raises:
        jinja2.UndefinedError: the template reads a value that is not given.
    """
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    defaults: dict[str, object] = {"contents": (), "alarms": (), "warnings": ()}
    environment = templates(package)
    environment.globals |= {"drawings": drawings, "swatch": swatch}
    return environment.get_template(template).render(
        **defaults | values,
        title=title,
        css=Markup(palette_css() + _asset("style.css")),  # noqa: S704 - our own
        js=Markup(script),  # noqa: S704 - our own file
        sprite=SPRITE,
        policy=(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        ),
        version=metadata.version("serbench"),
    )


def palette_css() -> str:
    """The colours of series as variables of the stylesheet, and classes that use them."""
    light, dark = (
        "".join(f"--s{number}:{colour};" for number, colour in enumerate(colours, start=1))
        for colours in (COLOURS, DARK_COLOURS)
    )
    classes = "".join(f".c{n}{{color:var(--s{n})}}" for n in range(1, len(COLOURS) + 1))
    return (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{classes}\n"
    )


@functools.cache
def _asset(name: str) -> str:
    return resources.files("serbench.results.pages").joinpath(name).read_text(encoding="utf-8")
