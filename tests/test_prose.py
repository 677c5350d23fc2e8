"""The check of wording, docs/prose.py, finds what its rules say, in all kinds of texts."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROSE = runpy.run_path(str(ROOT / "docs" / "prose.py"))
RULES = tomllib.loads((ROOT / "docs" / "prose.toml").read_text(encoding="utf-8"))["rule"]

MODULE = '''
"""The module goes on."""

def say(name):
    """The function goes on."""
    print(f"{name} goes on {name!r}", "word")
    return ("a string "
            "of two parts")
'''


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["instead"])
def test_a_rule_finds_its_wrong_passage_and_nothing_in_the_right_one(rule: dict[str, str]) -> None:
    pattern = re.compile(rule["pattern"], re.IGNORECASE)
    assert pattern.search(rule["wrong"])
    assert not any(re.search(each["pattern"], rule["right"], re.IGNORECASE) for each in RULES), (
        rule["right"]
    )


def test_strings_and_public_docstrings_of_code_are_read() -> None:
    private = [text for _, text in PROSE["strings"](MODULE, "serbench/learning/x.py")]
    public = [text for _, text in PROSE["strings"](MODULE, "serbench/api/x.py")]
    assert sorted(private) == ["X goes on X", "a string of two parts"]
    assert sorted(public) == sorted(["The module goes on.", "The function goes on.", *private])


def test_markup_and_code_are_no_prose() -> None:
    page = "A line\nthat goes on `goes on`.\n\n```\ngoes on\n```\n\n[goes](goes on)"
    assert [text.count("goes on") for _, text in PROSE["markdown"](page, "")] == [1, 0]
    template = "{# goes on #}<p class='goes on'>{{ goes on }} it\ngoes on</p>"
    assert [text.count("goes on") for _, text in PROSE["template"](template, "")] == [1]


def test_a_place_is_named_with_its_line() -> None:
    ((line, text),) = PROSE["strings"]('\n\nx = "two words"', "serbench/x.py")
    assert (line, text) == (3, "two words")
