"""A page from a template: styles and script inside, everything escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import metadata, resources

import jinja2
from markupsafe import Markup

PACKAGE = "serbench.results.pages"


def page(title: str, template: str, *, package: str = PACKAGE, **values: object) -> str:
    """A whole page, to be written to one file.

    Args:
        title: of the page, as text.
        template: name of a file in ``package``'s folder ``templates``; it extends
            ``base.html.j2``.
        package: whose templates to look in before those here.
        values: what the template reads, as text; ``Markup`` is taken as it is.

    Returns:
        The page's HTML.

    Raises:
        jinja2.UndefinedError: the template reads a value that is not given.
    """
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    defaults: dict[str, object] = {"contents": (), "alarms": (), "warnings": ()}
    return (
        templates(package)
        .get_template(template)
        .render(
            **defaults | values,
            title=title,
            css=Markup(_asset("style.css")),  # noqa: S704 - our own file
            js=Markup(script),  # noqa: S704 - our own file
            policy=(
                "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
            ),
            version=metadata.version("serbench"),
        )
    )


@functools.cache
def templates(package: str = PACKAGE) -> jinja2.Environment:
    """The templates of ``package``, then those here; all escape what they are given."""
    packages = dict.fromkeys((package, PACKAGE))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each, "templates") for each in packages]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    environment.filters["json"] = embedded_json
    return environment


def embedded_json(value: object) -> Markup:
    """JSON that may stand inside a ``<script type="application/json">``: no ``<``, ``>``, ``&``."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing is left that could end the element


@functools.cache
def _asset(name: str) -> str:
    return resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
