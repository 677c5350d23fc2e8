"""Learning curves: each loss term over epochs, and UA on inner validation sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serbench.results.pages.charts.chart import Chart, Key, Panel
from serbench.results.pages.charts.lines import Axis, Line, lines
from serbench.results.pages.charts.svg import Style, style_of
from serbench.results.pages.series import Method, numbers_table
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, Section

TOTAL = "total"
Curve = dict[int, list[float]]
"""The values of all fits, by epoch."""


def learning_curves(results: Results, methods: Sequence[Method]) -> tuple[Chart, ...]:
    """Loss terms of the refits, and validation UA of inner fits where there is any."""
    refits = {method: _fits(results, method, inner=False) for method in methods}
    inner = {method: _fits(results, method, inner=True) for method in methods}
    return (*_loss(refits), *_validation(inner))


def _fits(results: Results, method: Method, *, inner: bool) -> list[Mapping[str, Any]]:
    """A method's fits in its own run; a teacher has none."""
    info = results.methods[method.result.method]
    name = info.plan.get("name")
    return [
        fit
        for run in results.runs
        if run.folder == info.folder and name is not None
        for fit in run.fits
        if fit["method"] == name and (fit["inner"] is not None) == inner and fit["history"]
    ]


def _loss(refits: Mapping[Method, list[Mapping[str, Any]]]) -> tuple[Chart, ...]:
    held = {method: _terms(fits) for method, fits in refits.items()}
    trained = {method: terms for method, terms in held.items() if terms}
    if not trained:
        return ()
    styles = _styles(term for terms in trained.values() for term in terms)
    panels = []
    for method, terms in trained.items():
        drawn = [_line(term, styles[term], curve) for term, curve in terms.items()]
        count = len(refits[method])
        svg = lines(
            f"loss-{method.slug}",
            f"Training loss of {method.name}",
            f"Mean over {count} refits; " + "; ".join(
                f"{line.text} from {line.middle[0]:.3g} to {line.middle[-1]:.3g}" for line in drawn
            ) + ".",
            drawn,
            Axis("Epoch"),
            Axis("Loss"),
        )  # fmt: skip
        panels.append(Panel(svg, f"{method.name}: {count} refits"))
    caption = "Training loss and its terms over epochs: mean, and lowest to highest"
    return (
        Chart(
            name="loss-chart",
            caption=caption,
            panels=tuple(panels),
            numbers=numbers_table(
                "loss-numbers",
                f"{caption}, as numbers",
                ("Epoch", *styles),
                [_section(method, terms, [*styles]) for method, terms in trained.items()],
            ),
            legend=tuple(Key(term, style, kind="line") for term, style in styles.items()),
            notes=(
                "Each line is the mean over the refits of all outer folds and seeds, on their "
                "training sides; the band runs from the lowest to the highest. Terms are as the "
                "loss logs them, weights of terms included where it applies them.",
            ),
        ),
    )


def _styles(terms: Iterable[str]) -> dict[str, Style]:
    """The same for a term in every panel; the total first."""
    names = sorted(dict.fromkeys(terms), key=lambda term: term != TOTAL)
    return {term: style_of(index) for index, term in enumerate(names)}


def _terms(fits: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    for fit in fits:
        for entry in fit["history"]:
            for term, value in entry["terms"].items():
                found.setdefault(term, {}).setdefault(int(entry["epoch"]), []).append(float(value))
    return found


def _line(text: str, style: Style, curve: Curve) -> Line:
    epochs = sorted(curve)
    return Line(
        text=text,
        style=style,
        x=tuple(map(float, epochs)),
        middle=tuple(sum(curve[each]) / len(curve[each]) for each in epochs),
        low=tuple(min(curve[each]) for each in epochs),
        high=tuple(max(curve[each]) for each in epochs),
    )


def _section(method: Method, terms: Mapping[str, Curve], names: Sequence[str]) -> Section:
    epochs = sorted({epoch for curve in terms.values() for epoch in curve})
    rows = [
        (str(epoch), *(_cell(terms.get(name, {}).get(epoch, ())) for name in names))
        for epoch in epochs
    ]
    return Section(tuple(rows), method.name)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    mean = sum(values) / len(values)
    return f"{mean:.3g} [{min(values):.3g}, {max(values):.3g}]"


def _validation(inner: Mapping[Method, list[Mapping[str, Any]]]) -> tuple[Chart, ...]:
    """UA on the inner validation sides, over all candidates."""
    curves: dict[Method, Curve] = {}
    for method, fits in inner.items():
        for fit in fits:
            for entry in fit["history"]:
                if entry["validation_ua"] is not None:
                    own = curves.setdefault(method, {}).setdefault(int(entry["epoch"]), [])
                    own.append(100 * float(entry["validation_ua"]))
    if not curves:
        return ()
    drawn = [_line(method.name, method.style, curve) for method, curve in curves.items()]
    caption = "UA on inner validation sides over epochs: mean, and lowest to highest"
    svg = lines(
        "validation",
        caption,
        "; ".join(f"{line.text} reaches at most {max(line.middle):.1f} %" for line in drawn) + ".",
        drawn,
        Axis("Epoch"),
        Axis("UA in %"),
    )
    epochs = sorted({epoch for curve in curves.values() for epoch in curve})
    rows = [
        (str(epoch), *(_cell(curve.get(epoch, ())) for curve in curves.values()))
        for epoch in epochs
    ]
    return (
        Chart(
            name="validation-chart",
            caption=caption,
            panels=(Panel(svg),),
            numbers=numbers_table(
                "validation-numbers",
                f"{caption}, as numbers",
                ("Epoch", *(method.name for method in curves)),
                [Section(tuple(rows))],
            ),
            legend=tuple(Key(m.name, m.style, kind="line") for m in curves),
            notes=("Over all inner fits, of every candidate that the search tried.",),
            wide=True,
        ),
    )
