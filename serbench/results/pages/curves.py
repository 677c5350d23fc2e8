"""Learning curves: each loss term over epochs, and UA on inner validation sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serbench.results.figure.figure import Axis, Figure, Key, Line, Lines, Panel
from serbench.results.figure.palette import Style, style_of
from serbench.results.pages.series import Method
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import Format
from serbench.results.table.table import Table

TOTAL = "total"
Curve = dict[int, list[float]]
"""The values of all fits, by epoch."""

RANGE: Format[list[float]] = Format(
    lambda values: f"{sum(values) / len(values):.3g}",
    lambda values: f"[{min(values):.3g}, {max(values):.3g}]",
)


def learning_curves(results: Results, methods: Sequence[Method]) -> tuple[Figure, ...]:
    """Loss terms of the refits, and validation UA of inner fits if there are any."""
    refits = {method: _fits(results, method, inner=False) for method in methods}
    inner = {method: _fits(results, method, inner=True) for method in methods}
    return (*_loss(refits), *_validation(inner))


def _fits(results: Results, method: Method, *, inner: bool) -> list[Mapping[str, Any]]:
    """A method's fits in its own run; a teacher has no fits."""
    info = results.methods[method.result.method]
    name = info.plan.get("name")
    return [
        fit
        for run in results.runs
        if run.folder == info.folder and name is not None
        for fit in run.fits
        if fit["method"] == name and (fit["inner"] is not None) == inner and fit["history"]
    ]


def _loss(refits: Mapping[Method, list[Mapping[str, Any]]]) -> tuple[Figure, ...]:
    held = {method: _terms(fits) for method, fits in refits.items()}
    trained = {method: terms for method, terms in held.items() if terms}
    if not trained:
        return ()
    styles = _styles(term for terms in trained.values() for term in terms)
    panels = []
    for method, terms in trained.items():
        drawn = [_line(term, styles[term], curve) for term, curve in terms.items()]
        count = len(refits[method])
        plot = Lines(tuple(drawn), Axis("Epoch", whole=True), Axis("Loss"))
        heading = f"{method.name}: {count} refits"
        panels.append(Panel(plot, heading, f"Mean over {count} refits; {plot.described}"))
    caption = "Training loss and its terms over epochs: mean, and lowest to highest"
    return (
        Figure(
            name="loss-chart",
            caption=caption,
            panels=tuple(panels),
            numbers=_numbers(
                "loss", caption, {each.name: terms for each, terms in trained.items()}, [*styles]
            ),
            legend=tuple(Key(term, style, kind="line") for term, style in styles.items()),
            notes=(
                "Each line is the mean over the refits of all outer folds and seeds, on their "
                "training sides; the band runs from the lowest to the highest. Terms are shown as "
                "the loss logs them; if the loss weights a term, its weight is included.",
            ),
        ),
    )


def _styles(terms: Iterable[str]) -> dict[str, Style]:
    """A style for each loss term, the same in every panel; the total comes first."""
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


def _numbers(
    name: str, caption: str, curves: Mapping[str, Mapping[str, Curve]], names: Sequence[str]
) -> Table:
    """Mean, lowest and highest value of each name's curve; ``curves`` are by heading."""
    columns: list[Column[tuple[int, Mapping[str, Curve]]]] = [
        Column("Epoch", lambda row: str(row[0])),
        *(
            Column(each, lambda row, each=each: row[1].get(each, {}).get(row[0]), RANGE)
            for each in names
        ),
    ]
    return make_table(
        f"{name}-numbers",
        f"{caption}, as numbers",
        columns,
        {
            heading: [(epoch, own) for epoch in sorted({e for c in own.values() for e in c})]
            for heading, own in curves.items()
        },
    )


def _validation(inner: Mapping[Method, list[Mapping[str, Any]]]) -> tuple[Figure, ...]:
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
    said = "; ".join(f"{line.text} reaches at most {max(line.middle):.1f} %" for line in drawn)
    named = {method.name: curve for method, curve in curves.items()}
    return (
        Figure(
            name="validation-chart",
            caption=caption,
            panels=(
                Panel(
                    Lines(tuple(drawn), Axis("Epoch", whole=True), Axis("UA in %")),
                    description=f"{said}.",
                ),
            ),
            numbers=_numbers("validation", caption, {"": named}, [*named]),
            legend=tuple(Key(m.name, m.style, kind="line") for m in curves),
            notes=("Over all inner fits, of every candidate that the search tried.",),
            wide=True,
        ),
    )
