"""Makes a registry entry for an understood folder, and appends it to a registry file."""

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
"""Names of datasets are parts of commands and of run folders."""

FEW_SPEAKERS = 10
"""With at most this many speakers, each is tested in its own fold; more are divided
into five folds.
"""


@dataclass(frozen=True, slots=True)
class Card:
    """Facts about a corpus that names do not contain."""

    title: str
    language: str
    licence: str
    elicitation: str


def make_entry(found: Understood, folder: Path, card: Card) -> dict[str, object]:
    """The entry of a dataset, with the counts that the folder has now."""
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
                "home": "a user's own folder",
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
    """Refuse an invalid name, or one that is taken.

    Raises:
        RegistryError: the name is invalid or taken; or ``output`` is not a valid registry file.
    """
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} cannot be a dataset's name: use letters, digits, '-', '_' and '.' only; "
            "give another with --name"
        )
    known = load_registry(plugins, output if output.exists() else None, strict=False)
    taken = {*known.datasets, *(each.name for each in plugins.items("corpora"))}
    if name in taken:
        where = known.origins.get(("datasets", name), "a plugin")
        raise RegistryError(
            f"a dataset {name!r} already exists ({where}); give another name with --name, or "
            "remove that entry first"
        )


def append_entry(
    name: str, entry: Mapping[str, object], output: Path, folder: Path, plugins: Plugins
) -> str:
    """Append an entry to a registry file, which is created if it does not exist.

    The future content is loaded as a registry, and used to read the corpus, before the file is
    replaced.

    Returns:
        The text that was appended.

    Raises:
        RegistryError: the name is taken, the folder's name is not UTF-8, or the file with the entry
            is not a valid registry.
        CorpusError: the entry does not read its own folder.
        StoreError: the file cannot be written.
    """
    check_name(name, output, plugins)
    text = dump_toml({"datasets": {name: entry}})
    if text != visible(text):
        raise RegistryError(
            f"{visible(str(folder))}: this name is not UTF-8, as {output} must be; rename the "
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
    """Load the future content of ``output`` as a registry, from a file next to it, so
    that paths resolve.
    """
    trial = output.with_name(f".{output.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        write_atomically(trial, content)
        try:
            known = load_registry(plugins, trial)
        except RegistryError as error:
            said = str(error).replace(str(trial), str(output))
            raise RegistryError(
                f"{output} was not changed; with the entry it would have {said}"
            ) from error
        corpus = known.make("corpora", name)
        differences = count_differences(corpus.card, scan(corpus, name, folder))
        problems = [*differences.missing, *differences.surplus]
        if problems:
            raise RegistryError(
                f"the files of {folder} changed during the reading ({problems[0]}); add the "
                "corpus again"
            )
    finally:
        trial.unlink(missing_ok=True)
