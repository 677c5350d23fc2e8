"""Questions of ``serbench corpus add`` on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serbench.errors import CorpusError

if TYPE_CHECKING:
    from serbench.running.adopt.entry import Card
    from serbench.running.adopt.grammar import Grammar
    from serbench.running.adopt.understood import Understood

ELICITATIONS = ("acted", "induced", "natural", "synthetic")


@dataclass(frozen=True, slots=True)
class Given:
    """Facts about the names that the user gave; everything else is guessed."""

    pattern: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    speaker: str | None = None
    text: str | None = None
    ignore: str = ""

    def understood(self, names: Sequence[str]) -> Understood:
        """All names, read with the given facts.

        Raises:
            CorpusError: a pattern or a template is wrong.
        """
        from serbench.running.adopt.guess import described, guess
        from serbench.running.adopt.understood import understand

        kept = [name for name in names if not (self.ignore and self._ignored(name))] or names
        grammar: Grammar = (
            guess(kept, self.labels, self.speaker, self.text)
            if self.pattern is None
            else described(kept, self.pattern, self.labels, self.speaker, self.text)
        )
        return understand(names, replace(grammar, ignore=self.ignore))

    def _ignored(self, name: str) -> bool:
        try:
            return re.fullmatch(self.ignore, name) is not None
        except re.error as error:
            raise CorpusError(
                f"--ignore {self.ignore} is not a regular expression: {error}"
            ) from error


def agreed(names: Sequence[str], given: Given, show: Callable[[Understood], None]) -> Understood:
    """Show the result and ask until the user agrees with it.

    Raises:
        CorpusError: questions cannot solve the problem. typer.Abort: the user stopped.
    """
    from serbench.running.adopt.understood import check_understood

    while True:
        found = given.understood(names)
        show(found)
        asked = _settled(found, given)
        if asked != given:
            given = asked
            continue
        if problems := check_understood(found):
            raise CorpusError(
                "this corpus cannot be added:\n" + "\n".join(f"  {p}" for p in problems)
            )
        if typer.confirm("Is this right?", default=True):
            return found
        given = _corrected(found, given)


def _settled(found: Understood, given: Given) -> Given:
    """The facts with the answers to unclear points; unchanged if nothing is unclear."""
    grammar = found.grammar
    if not grammar.has_emotion:
        typer.echo("serbench cannot determine which part of the names is the emotion.")
        return replace(given, labels=_asked_labels(_asked_part(grammar)))
    if grammar.unlabelled:
        return replace(given, labels=dict(grammar.labels) | _asked_labels(grammar.unlabelled))
    if not grammar.speaker:
        if grammar.speakers:
            typer.echo("Several parts of the names could be the speaker:")
            for candidate in grammar.speakers:
                typer.echo(f"  {candidate}")
        typer.echo(
            "serbench cannot determine the speaker. Give a template of the parts above, such as"
        )
        typer.echo("{part1}, {folder} (the folder's name), or one name if only one person speaks.")
        return replace(given, speaker=typer.prompt("Speaker"))
    if found.foreign and typer.confirm(
        f"Leave out the {len(found.foreign)} files that do not fit?", default=False
    ):
        ignored = [given.ignore] if given.ignore else []
        return replace(given, ignore="|".join([*ignored, *map(re.escape, found.foreign)]))
    return given


def _asked_part(grammar: Grammar) -> tuple[str, ...]:
    """Ask for a part, and return its values."""
    values = {part.group: part.values for part in grammar.parts}
    while True:
        part = typer.prompt("Emotion (name of a part)")
        if part in values:
            return values[part]
        typer.echo(f"Choose one of {', '.join(values)}.")


def _asked_labels(values: Sequence[str]) -> dict[str, str]:
    """Ask for the labels of values; an empty label leaves the files out."""
    from serbench.running.adopt.words import label_of

    typer.echo("Give a label for each value; '-' leaves its files out.")
    labels: dict[str, str] = {}
    for value in values:
        answer = typer.prompt(f"  {value}", default=label_of(value) or value.lower())
        labels[value] = "" if answer.strip() == "-" else answer.strip()
    return labels


def _corrected(found: Understood, given: Given) -> Given:
    """The facts with the user's corrections."""
    grammar = found.grammar
    typer.echo("Correct it. Templates consist of the parts above and {folder}.")
    pattern = typer.prompt("Pattern", default=grammar.pattern)
    labels = _asked_labels(sorted({*grammar.labels, *grammar.drop}))
    speaker = typer.prompt("Speaker", default=grammar.speaker)
    text = typer.prompt("Sentence ('-': unknown)", default=grammar.text or "-")
    return replace(
        given, pattern=pattern, labels=labels, speaker=speaker, text="" if text == "-" else text
    )


def asked_card(
    folder: Path,
    title: str | None,
    language: str | None,
    licence: str | None,
    elicitation: str | None,
) -> Card:
    """A card made from answers; facts that options gave are not asked again."""
    from serbench.running.adopt.entry import Card

    return Card(
        title or typer.prompt("Title", default=folder.resolve().name),
        language or typer.prompt("Language"),
        licence or typer.prompt("Licence", default="unknown"),
        _elicitation(elicitation),
    )


def _elicitation(given: str | None) -> str:
    choices = f"({', '.join(ELICITATIONS)})"
    answer = given or typer.prompt(f"Elicitation {choices}", default="acted")
    while answer not in ELICITATIONS:
        answer = typer.prompt(f"Elicitation, one of {choices}", default="acted")
    return answer
