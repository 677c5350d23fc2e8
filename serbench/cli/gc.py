"""``serbench gc``: clean the cache, after showing what would be removed."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.options import RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serbench.files.gc.choose import Choice
    from serbench.files.gc.contents import Contents
    from serbench.files.gc.remove import Removed

HELP = """Show what can be removed from the cache; with --yes, remove it.

The cache holds what can be computed or downloaded again: fits, teachers' embeddings, features, … By
default, half-written files of stopped commands, damaged entries, and entries unused for 30 days are
removed. Fits of the runs in --runs are kept. Corpora and downloads are kept unless --kind names
them. Runs, files that serbench does not know, and targets of links are never touched. A run that
needs a removed fit trains it again.

Examples:

  serbench gc

  serbench gc --older-than 8w --kind fits --kind features

  serbench gc --all --kind converted --kind models --yes
"""

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="Only this kind; repeatable: temporaries, fits, soft-targets, pretraining, "
        "checkpoints, embeddings, features, audio, near, replays, robustness, prune, "
        "models, converted, posteriors, repeats, downloads, corpora. Default: all but the last "
        "two.",
    ),
]


def command(
    kind: Kinds = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="Unused for this long: 12h, 30d, 8w. Default: 30d."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Entries of any age.")] = False,
    even_used: Annotated[
        bool, typer.Option("--even-used", help="Also fits of stored runs.")
    ] = False,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs", metavar="FOLDER", help="A folder with runs; repeatable. Default: runs."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove the listed entries.")] = False,
) -> None:
    """Clean the cache; see HELP."""
    from serbench.cli.output import byte_size
    from serbench.errors import StoreError
    from serbench.files.cache_use import cache_users, cleaning_cache
    from serbench.files.gc.choose import Rules, choose, parse_age
    from serbench.files.gc.contents import scan
    from serbench.files.gc.references import referenced_keys
    from serbench.files.gc.remove import remove
    from serbench.files.paths import cache_folder

    if everything and older_than:
        raise StoreError("give --all or --older-than, not both")
    age_s = None if everything else parse_age(older_than or "30d")
    rules = Rules(tuple(kind or ()), age_s, even_used)
    rules.check()
    folders = _folders(runs)
    cache = cache_folder()
    with cleaning_cache(cache) if yes else nullcontext(cache_users(cache)) as users:
        if users and yes:
            raise StoreError(f"{_in_use(users)}; wait until it has finished, or stop it")
        contents = scan(cache)
        choices = choose(contents.entries, rules, referenced_keys(folders), time.time())
        _print(contents, choices, folders)
        going = [choice.entry for choice in choices if choice.goes]
        if yes and going:
            _tell(remove(contents.root, going))
            return
    if not going:
        typer.echo("There is nothing to remove.")
        return
    if users:
        typer.echo(f"{_in_use(users)}; nothing can be removed until it has finished.")
    files = sum(len(entry.files) for entry in going)
    typer.echo(
        f"Nothing was removed. To remove {_amount(files, 'file')} "
        f"({byte_size(sum(entry.size_bytes for entry in going))}):\n  "
        f"{_confirmed(kind, older_than, everything, even_used, runs)}"
    )


def _folders(runs: Sequence[Path] | None) -> list[Path]:
    """Folders with runs; the default one only if it exists.

    Raises:
        StoreError: a named folder does not exist; the fits of its runs would count as unused.
    """
    from serbench.errors import StoreError

    missing = [folder for folder in runs or () if not folder.is_dir()]
    if missing:
        raise StoreError(
            f"--runs {missing[0]}: no such folder; its runs' fits would count as unused"
        )
    return list(runs) if runs else [RUNS] * RUNS.is_dir()


def _in_use(users: Sequence[int]) -> str:
    named = ", ".join(map(str, users))
    return f"the cache is in use by process{'es' * (len(users) > 1)} {named}"


def _print(contents: Contents, choices: Sequence[Choice], folders: Sequence[Path]) -> None:
    from serbench.cli.output import byte_size, print_table
    from serbench.files.gc.kinds import KINDS

    held = sum(choice.entry.size_bytes for choice in choices)
    columns = ("kind", "what", "remove", "files", "size", "why", "keep", "kept size", "why kept")
    rows = [
        _row(kind, [choice for choice in choices if choice.entry.kind == kind])
        for kind in KINDS
        if any(choice.entry.kind == kind for choice in choices)
    ]
    if rows:
        print_table(f"Cache {contents.root}, {byte_size(held)}", columns, rows)
    else:
        typer.echo(f"The cache {contents.root} is empty.")
    if contents.foreign or contents.links:
        typer.echo(
            f"Not touched: {_amount(len(contents.foreign), 'file')} that serbench does not know, "
            f"{_amount(len(contents.links), 'link')}"
            f"{_such_as([*contents.foreign, *contents.links])}."
        )
    where = ", ".join(map(str, folders))
    typer.echo(f"Runs: {where}" if where else "No run found, so all fits count as unused.")


def _row(kind: str, choices: Sequence[Choice]) -> tuple[str, ...]:
    from serbench.cli.output import byte_size
    from serbench.files.gc.kinds import KINDS

    going = [choice for choice in choices if choice.goes]
    staying = [choice for choice in choices if not choice.goes]
    return (
        kind,
        KINDS[kind],
        str(len(going)),
        str(sum(len(choice.entry.files) for choice in going)),
        byte_size(sum(choice.entry.size_bytes for choice in going)),
        _reasons(going),
        str(len(staying)),
        byte_size(sum(choice.entry.size_bytes for choice in staying)),
        _reasons(staying),
    )


def _reasons(choices: Sequence[Choice]) -> str:
    """The reasons, each with its count if there are several."""
    counted = Counter(choice.why for choice in choices).most_common()
    if len(counted) == 1:
        return counted[0][0]
    return ", ".join(f"{count} {why}" for why, count in counted)


def _tell(removed: Removed) -> None:
    """
    Raises:
        StoreError: something could not be removed.
    """
    from serbench.cli.output import byte_size
    from serbench.errors import StoreError

    typer.echo(f"Removed {_amount(removed.files, 'file')} ({byte_size(removed.size_bytes)}).")
    if removed.vanished:
        typer.echo(f"{removed.vanished} had already been removed.")
    for line in removed.kept:
        typer.echo(f"Kept: {line}")
    if removed.failed:
        raise StoreError(
            f"{len(removed.failed)} could not be removed{_such_as(removed.failed)}; check the "
            "owner of the cache"
        )


def _amount(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _such_as(names: Sequence[str]) -> str:
    return f", such as {', '.join(names[:3])}" if names else ""


def _confirmed(
    kinds: Sequence[str] | None,
    older_than: str | None,
    everything: bool,
    even_used: bool,
    runs: Sequence[Path] | None,
) -> str:
    """The same command with ``--yes``."""
    words = ["serbench", "gc"]
    words += [word for kind in kinds or () for word in ("--kind", kind)]
    words += ["--older-than", older_than] if older_than else []
    words += ["--all"] * everything + ["--even-used"] * even_used
    words += [word for folder in runs or () for word in ("--runs", str(folder))]
    return shlex.join([*words, "--yes"])
