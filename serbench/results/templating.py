"""Templates of texts and pages."""

from __future__ import annotations

import functools
import json
import re

import jinja2
from markupsafe import Markup

PACKAGE = "serbench.results"

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta",
    "λ": "lambda", "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Σ": "Sigma", "Ω": "Omega",
}  # fmt: skip
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))

LATEX = {
    **{letter: rf"$\{name}$" for letter, name in GREEK.items()},
    **{raised: rf"\textsuperscript{{{plain}}}" for raised, plain in RAISED.items()},
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "≤": r"$\leq$",
    "″": "''",
    "·": r"\textperiodcentered{}",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "√": r"$\surd$",
}
"""Characters that LaTeX reads as commands, or that its older engines cannot print. A bracket at the
start of a row would be read as the optional argument of the preceding line break.
"""


def escape_latex(text: str) -> str:
    """``text`` in a form that LaTeX prints literally."""
    return "".join(LATEX.get(character, character) for character in text)


def escape_markdown(text: str) -> str:
    """``text`` in a form that Markdown shows literally, in a table cell too.

    Brackets that cannot make a link and underscores inside a word are not changed, so that the file
    itself stays readable.
    """
    line = re.sub(r"([\\`*<>|])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", line)
    return re.sub(r"\](?=[(\[])", r"\]", line).replace("~~", r"\~\~")


@functools.cache
def templates(package: str = PACKAGE) -> jinja2.Environment:
    """The environment with the templates of ``package``, then those of this one.

    Templates with names like ``*.html.j2`` escape all values; others need the filters ``md`` and
    ``tex`` for this.
    """
    packages = dict.fromkeys((package, PACKAGE))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each, "templates") for each in packages]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(["html.j2"], default_for_string=True),
    )
    environment.filters |= {
        "md": escape_markdown,
        "tex": escape_latex,
        "json": embedded_json,
    }
    return environment


def embedded_json(value: object) -> Markup:
    """JSON that is safe inside a ``<script type="application/json">``: no ``<``, ``>``, ``&``."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing is left that could end the element
