from __future__ import annotations

import re
from importlib import resources

import pytest

from serbench.results.figure.palette import COLOURS, DARK_COLOURS, GREY
from serbench.results.pages.page import palette_css

CSS = resources.files("serbench.results.pages").joinpath("style.css").read_text(encoding="utf-8")
SERIES = {"light": COLOURS, "dark": DARK_COLOURS}
SCHEMES: dict[str, str] = dict(
    zip(("light", "dark"), re.findall(r":root \{(.*?)\}", CSS, re.DOTALL), strict=True)
)
DEEPEST = 0.03 + 0.5
"""Opacity of the shade of a share of 1."""

Colour = tuple[float, ...]


def variables(scheme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): ([^;]+);", SCHEMES[scheme]))


def rgb(value: str) -> Colour:
    if value.startswith("#"):
        return tuple(int(value[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(int(each) / 255 for each in value.split(","))


def luminance(colour: Colour) -> float:
    """As WCAG 2 has it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "paper"), ("quiet", "paper"), ("accent", "paper"), ("ink", "sunken"),
        ("quiet", "sunken"), ("warn", "warn-ground"), ("warn", "paper"), ("better", "paper"),
        ("worse", "paper"), ("alarm", "alarm-ground"),
    ],
)  # fmt: skip
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    held = variables(scheme)
    assert contrast(rgb(held[text]), rgb(held[ground])) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("series", range(GREY))
def test_marks_can_be_seen(scheme: str, series: int) -> None:
    ground = rgb(variables(scheme)["paper"])
    assert contrast(rgb(SERIES[scheme][series]), ground) >= 3.0


def test_the_palette_is_that_of_files() -> None:
    css = palette_css()
    for number, (light, dark) in enumerate(zip(COLOURS, DARK_COLOURS, strict=True), start=1):
        assert css.index(f"--s{number}:{light};") < css.index(f"--s{number}:{dark};")
        assert f".c{number}{{color:var(--s{number})}}" in css


@pytest.mark.parametrize("scheme", SCHEMES)
def test_counts_can_be_read_on_the_deepest_shade(scheme: str) -> None:
    assert "calc(0.03 + var(--share) * 0.5)" in CSS
    held = variables(scheme)
    ground = tuple(
        DEEPEST * heat + (1 - DEEPEST) * paper
        for heat, paper in zip(rgb(held["heat"]), rgb(held["paper"]), strict=True)
    )
    assert contrast(rgb(held["ink"]), ground) >= 4.5


def test_both_schemes_set_the_same_colours() -> None:
    light, dark = variables("light"), variables("dark")
    assert set(light) - set(dark) == {"sans", "mono"}
    assert set(dark) <= set(light)


def test_nothing_is_loaded() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
