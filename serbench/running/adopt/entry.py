"""A registry entry of what was understood, and its way into a registry file."""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serbench.api import RegistryError, StoreError
from serbench.data.corpus.check import count_differences, scan
from serbench.errors import visible
from serbench.files.atomic import write_atomically
from serbench.running.adopt.understood import Understood
from serbench.running.plugins import Plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.toml_text import dump_toml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Names of datasets stand in commands and in folders of runs."""

FEW_SPEAKERS = 10
"""Up to so many, each is tested in a fold of its own; beyond, they are dealt into five."""


@dataclass(frozen=True, slots=True)
class Card:
    """What names do not tell of a corpus."""

    title: str
    language: str
    licence: str
    elicitation: str


def make_entry(found: Understood, folder: Path, card: Card) -> dict[str, object]:
    """The entry of a dataset, with counts as they are today."""
    speakers = Counter(reading.speaker for reading in found.readings)
    labels = Counter(reading.label for reading in found.readings)
    total = len(found.readings)
    return {
        "corpus": "files",
        "summary": f"{card.title}: {total} utterances, {len(speakers)} speakers, "
        f"{len(labels)} emotions, {card.language}",
        "folds": "loso" if len(speakers) <= FEW_SPEAKERS else "kfold",
        "path": str(folder.absolute()),
        "params": {
            **found.grammar.params(),
            "card": {
                "title": card.title,
                "language": card.language,
                "licence": card.licence,
                "home": "a folder of your own",
                "citation": "none given",
                "elicitation": card.elicitation,
                "layout": f"files such as {found.readings[0].name}",
                "utterances": total,
                "per_label": dict(sorted(labels.items())),
                "per_speaker": dict(sorted(speakers.items())),
            },
        },
    }


def check_name(name: str, output: Path, plugins: Plugins) -> None:
    """Refuse a name that is no name, or that is taken.

    Raises:
        RegistryError: it is; or ``output`` is no valid registry file.
    """
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} cannot be a dataset's name: letters, digits, '-', '_' and '.' make one; "
            "give another with --name"
        )
    known = load_registry(plugins, output if output.exists() else None, strict=False)
    taken = {*known.datasets, *(each.name for each in plugins.items("corpora"))}
    if name in taken:
        where = known.origins.get(("datasets", name), "a plugin")
        raise RegistryError(
            f"there is a dataset called {name!r} ({where}); give another name with --name, or "
            "remove that entry first"
        )


def append_entry(
    name: str, entry: Mapping[str, object], output: Path, folder: Path, plugins: Plugins
) -> str:
    """Append an entry to a registry file, which is made where it is not there.

    What the file will be is loaded as a registry, and the corpus is read by it, before the file
    is replaced.

    Returns:
        The text that was appended.

    Raises:
        RegistryError: the name is taken, the folder's name is no text, or the file with the entry
            is no valid registry.
        CorpusError: the entry does not read its own folder.
        StoreError: the file cannot be written.
    """
    check_name(name, output, plugins)
    text = dump_toml({"datasets": {name: entry}})
    if text != visible(text):
        raise RegistryError(
            f"{visible(str(folder))}: this name is not UTF-8, which {output} must be; rename the "
            "folder"
        )
    try:
        before = output.read_bytes() if output.exists() else b""
    except OSError as error:
        raise StoreError(f"cannot read {output}: {error.strerror or error}") from error
    gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    content = before + gap + text.encode()
    _try(name, content, output, folder, plugins)
    write_atomically(output, content)
    return text


def _try(name: str, content: bytes, output: Path, folder: Path, plugins: Plugins) -> None:
    """Load a registry from what ``output`` will hold, beside it: paths are meant from there."""
    trial = output.with_name(f".{output.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        write_atomically(trial, content)
        try:
            known = load_registry(plugins, trial)
        except RegistryError as error:
            said = str(error).replace(str(trial), str(output))
            raise RegistryError(
                f"{output} is left as it was; with the entry it has {said}"
            ) from error
        corpus = known.make("corpora", name)
        differences = count_differences(corpus.card, scan(corpus, name, folder))
        problems = [*differences.missing, *differences.surplus]
        if problems:
            raise RegistryError(
                f"the files of {folder} changed while they were looked at ({problems[0]}); add "
                "the corpus again"
            )
    finally:
        trial.unlink(missing_ok=True)
