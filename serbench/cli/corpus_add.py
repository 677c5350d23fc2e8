"""``serbench corpus add``: make a dataset from a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serbench.cli.corpus_ask import Given
    from serbench.running.adopt.entry import Card
    from serbench.running.adopt.understood import Understood
    from serbench.running.plugins import Plugins

HELP = """Make a dataset from a folder whose file names contain speaker and emotion.

serbench reads the names and shows what it understood: which part is the emotion, the speaker, the
sentence. On a terminal, you can correct this, and it asks for what is missing; elsewhere, use
options. The entry is added to serbench.toml with the current counts, so that lost files are noticed
later. No audio is read.

Examples:

  serbench corpus add ~/corpora/mine

  serbench corpus add ~/corpora/mine --label 1=anger --label 2=neutral --speaker {folder}

  serbench corpus add mine --language Italian --licence "CC BY 4.0" --elicitation acted --yes
"""


Pattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Regular expression for the paths, with groups named emotion, speaker, … Default: "
        "guessed.",
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW",
        help="Label of an emotion's code in the names, as in W=anger. `W=` leaves its files "
        "out. Repeatable.",
    ),
]


Speaker = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="Speaker, as a template of parts of the path: {speaker}, {folder}, …",
    ),
]
Language = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Spoken language, such as Italian.")
]
Licence = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Licence of the recordings, such as CC BY 4.0.")
]
Elicitation = Annotated[
    str | None,
    typer.Option(metavar="acted|induced|natural|synthetic", help="How the emotions were elicited."),
]


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with the audio.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the dataset. Default: the folder's name."),
    ] = None,
    pattern: Pattern = None,
    label: Labels = None,
    speaker: Speaker = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Sentence, as a template of parts of the path."),
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Regular expression for audio files that do not belong to the corpus.",
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Full name of the corpus. Default: the folder's name."),
    ] = None,
    language: Language = None,
    licence: Licence = None,
    elicitation: Elicitation = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Registry file that the entry is added to."
        ),
    ] = Path("serbench.toml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Add the entry without asking.")] = False,
) -> None:
    """Add a corpus; see HELP."""
    from serbench.cli.corpus_ask import Given, agreed, asked_card
    from serbench.running.adopt.entry import append_entry, check_name, make_entry
    from serbench.running.adopt.names import audio_names
    from serbench.running.plugins import load_plugins

    plugins = load_plugins()
    folder = folder.expanduser()
    names = audio_names(folder)
    called = name or slug(folder)
    check_name(called, output, plugins)
    _hint(names, plugins)
    labels = dict(map(_split, label or ()))
    given = Given(pattern, labels, speaker, text, ignore or "")
    says = (title, language, licence, elicitation)
    if on_terminal() and not yes:
        understood = agreed(names, given, print_understood)
        card = asked_card(folder, *says)
    else:
        understood, card = _by_options(names, given, folder, says, yes)
    written = append_entry(
        called, make_entry(understood, folder, card), output, folder.absolute(), plugins
    )
    typer.echo(f"Written to {output}:\n\n{written}")
    _next(called, output)


def on_terminal() -> bool:
    """Whether a user can answer questions."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def slug(folder: Path) -> str:
    """A dataset's name, made from the folder's name."""
    import re

    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return plain or "corpus"


def _split(pair: str) -> tuple[str, str]:
    from serbench.errors import RegistryError

    old, equals, new = pair.partition("=")
    if not equals or not old:
        raise RegistryError(f"--label {pair!r}: write --label OLD=NEW, as in --label W=anger")
    return old, new


def _hint(names: list[str], plugins: Plugins) -> None:
    """Print a hint if serbench knows a corpus with these names."""
    from serbench.running.adopt.guess import known_as
    from serbench.running.registry.load import load_registry

    known = known_as(names, load_registry(plugins, strict=False))
    if known is not None:
        typer.echo(
            f"These are names of {known}, which serbench knows: `serbench corpus check {known} "
            "--data-dir FOLDER` needs no entry.\n"
        )


def _by_options(
    names: list[str],
    given: Given,
    folder: Path,
    says: tuple[str | None, str | None, str | None, str | None],
    yes: bool,
) -> tuple[Understood, Card]:
    """A card made of options and names; one error lists everything that is missing."""
    from serbench.cli.corpus_ask import ELICITATIONS
    from serbench.errors import CorpusError
    from serbench.running.adopt.entry import Card
    from serbench.running.adopt.understood import check_understood

    understood = given.understood(names)
    print_understood(understood)
    title, language, licence, elicitation = says
    problems = check_understood(understood)
    missing = {"--language": language, "--licence": licence, "--elicitation": elicitation}
    if absent := [option for option, value in missing.items() if not value]:
        problems.append(f"the file names do not contain these facts: give {', '.join(absent)}")
    elif elicitation not in ELICITATIONS:
        problems.append(
            f"--elicitation must be one of {', '.join(ELICITATIONS)}, not {elicitation}"
        )
    if not problems and not yes:
        problems.append("there is no terminal to ask on: if the above is right, add --yes")
    if problems:
        told = "\n".join(f"  {problem}" for problem in problems)
        raise CorpusError(f"{folder} was not added:\n{told}")
    assert language is not None
    assert licence is not None
    assert elicitation is not None
    return understood, Card(title or folder.resolve().name, language, licence, elicitation)


def print_understood(found: Understood) -> None:
    """The pattern, its parts, a few names, and a table of speakers by classes."""
    from serbench.cli.output import print_table
    from serbench.errors import listed

    grammar = found.grammar
    typer.echo(f"Pattern: {grammar.pattern}\n")
    parts = [(part.group, str(len(part.values)), part.told) for part in grammar.parts]
    print_table("Parts of the names", ("Part", "Values", "Examples"), parts)
    if found.readings:
        examples = [
            (each.name, each.speaker or "–", each.label, each.text or "–")
            for each in found.examples()
        ]
        print_table("Names as understood", ("Name", "Speaker", "Emotion", "Sentence"), examples)
        counts = [
            (speaker or "–", *(str(own[label]) for label in found.labels), str(own.total()))
            for speaker, own in found.counts.items()
        ]
        rows = counts[:SPEAKERS]
        print_table("Speakers by emotions", ("Speaker", *found.labels, "All"), rows)
        if len(counts) > SPEAKERS:
            typer.echo(f"and {len(counts) - SPEAKERS} more speakers\n")
    for what, names in (
        ("Names that do not fit the pattern", found.foreign),
        ("Names whose emotion has no label", found.unlabelled),
        ("Names left out", found.left_out),
    ):
        if names and grammar.has_emotion:
            typer.echo(f"{what} ({len(names)}): {listed(names)}\n")


SPEAKERS = 30
"""Number of rows of the table of speakers; further speakers are counted."""


def _next(name: str, output: Path) -> None:
    overlay = "" if output == Path("serbench.toml") else f" --registry {output}"
    typer.echo(
        "Next:\n\n"
        f"  serbench corpus check {name}{overlay}\n"
        f"  serbench run akd --dataset {name}{overlay}"
    )
