"""``serbench runs``: stored runs, listed, filtered and compared."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.options import RUNS, RunsFolder, named
from serbench.errors import listed
from serbench_runtime.cli.encodings import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serbench.results.catalogue.entries import RunEntry
    from serbench.results.catalogue.pairing import Change, MethodPair, Pairing

HELP = """List stored runs, filter them, or compare two.

A run is finished, unfinished (with the number of trained students), or damaged (with the reason).
UA is that of the best student, pooled, in %; with --method, of that method. Runs in subfolders of
--runs are listed too. --compare shows in what two runs differ. If both tested the same utterances
in the same folds, it also compares each method's UA in pairs.

Examples:

  serbench runs

  serbench runs --dataset emodb --method akd --min-ua 80 --sort ua

  serbench runs --unfinished

  serbench runs --json | jq -r '.[].folder'

  serbench runs --compare emodb-akd-quick-6e574ba1 emodb-akd-quick-917c7777
"""

SHOWN_METHODS = 4
"""Number of a run's methods that the list shows; further ones are counted."""


class Sort(StrEnum):
    """Order of the list."""

    DATE = "date"
    UA = "ua"
    NAME = "name"
    SIZE = "size"


OfDataset = Annotated[
    str | None,
    named("DATASET", "--dataset", "-d", help="Only runs on this dataset."),
]
OfMethod = Annotated[
    list[str] | None,
    named("METHOD", "--method", "-m", help="Only runs with this method; repeatable."),
]
OfProfile = Annotated[
    str | None,
    named("PROFILE", "--profile", "-p", help="Only runs with this profile."),
]
Finished = Annotated[
    bool | None,
    typer.Option("--finished/--unfinished", help="Only finished runs, or only the others."),
]


def command(
    dataset: OfDataset = None,
    method: OfMethod = None,
    profile: OfProfile = None,
    finished: Finished = None,
    min_ua: Annotated[
        float | None,
        typer.Option("--min-ua", metavar="UA", help="Only runs with at least this UA, in %."),
    ] = None,
    sort: Annotated[
        Sort,
        typer.Option(
            metavar="|".join(Sort), help="Newest first, best first, by name, or largest first."
        ),
    ] = Sort.DATE,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="RUN RUN", help="Compare two runs."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    runs: RunsFolder = RUNS,
) -> None:
    """List stored runs, or compare two; see HELP."""
    from serbench.errors import SerbenchError
    from serbench.results.catalogue.choose import Wanted, choose, offered
    from serbench.results.catalogue.entries import list_entries

    wanted = Wanted(dataset, tuple(method or ()), profile, finished, min_ua)
    if compare is not None:
        if wanted != Wanted():
            raise SerbenchError("--compare takes two runs; leave the filters out")
        _compare(*compare, runs, as_json)
        return
    entries = list_entries(runs)
    chosen = choose(entries, wanted, sort.value)
    if as_json:
        print_json([_described(entry) for entry in chosen])
    elif chosen:
        _print_list(chosen, len(entries), wanted.scored)
    elif entries:
        typer.echo(f"None of the {len(entries)} runs in {runs} matches. {offered(entries)}")
    else:
        typer.echo(f"No run is in {runs}. Make one with `serbench run`.")


def _described(entry: RunEntry) -> dict[str, object]:
    """An entry as JSON: shares in 0 … 1, sizes in bytes, times in UTC."""
    return {
        "name": entry.name,
        "folder": str(entry.folder),
        "state": entry.state,
        "reason": entry.reason,
        "dataset": entry.dataset,
        "protocol": entry.protocol,
        "leaky": entry.leaky,
        "profile": entry.profile,
        "seeds": entry.seeds,
        "methods": list(entry.methods),
        "refits_done": entry.refits[0],
        "refits_planned": entry.refits[1],
        "ua": {
            name: {"value": score.ua, "low": score.low, "high": score.high}
            for name, score in entry.scores.items()
        },
        "changed_at": datetime.fromtimestamp(entry.changed_s, UTC).isoformat(timespec="seconds"),
        "size_bytes": entry.size_bytes,
    }


def _print_list(entries: Sequence[RunEntry], there: int, method: str | None) -> None:
    from serbench.cli.output import print_table

    columns = ("run", "dataset", "methods", "profile", "seeds", "state", "UA", "of", "written",
               "size")  # fmt: skip
    runs = "1 run" if there == 1 else f"{there} runs"
    title = f"{len(entries)} of {runs}" if len(entries) < there else runs
    print_table(f"{title}; UA in %", columns, [_row(entry, method) for entry in entries])
    for line in _notes(entries):
        typer.echo(line)


def _row(entry: RunEntry, method: str | None) -> tuple[str, ...]:
    from serbench.cli.output import byte_size

    score = entry.score(method)
    return (
        entry.name,
        entry.dataset,
        listed(entry.methods, SHOWN_METHODS),
        entry.profile,
        str(entry.seeds or ""),
        _state(entry),
        f"{100 * score[1].ua:.1f}" if score else "",
        score[0] if score else "",
        f"{datetime.fromtimestamp(entry.changed_s).astimezone():%Y-%m-%d %H:%M}",
        byte_size(entry.size_bytes),
    )


def _state(entry: RunEntry) -> str:
    done, planned = entry.refits
    said = {
        "finished": "finished",
        "unfinished": f"unfinished: {done} of {planned} students",
        "damaged": f"damaged: {entry.reason}",
    }[entry.state]
    return f"{said}, {entry.protocol}" if entry.leaky else said


def _notes(entries: Sequence[RunEntry]) -> list[str]:
    notes = []
    if any(entry.leaky for entry in entries):
        notes.append("leaky-…: a protocol that leaks on purpose; do not compare its UA.")
    bare = [e for e in entries if e.state == "finished" and not e.scores]
    if bare:
        notes.append(
            f"{listed((entry.name for entry in bare), 3)}: no UA without tables; `serbench "
            "report RUN` writes them."
        )
    return notes


def _compare(first: str, second: str, runs: Path, as_json: bool) -> None:
    from serbench.results.catalogue.pairing import pair_runs
    from serbench.running.store.find import find_run

    found = pair_runs(find_run(first, runs), find_run(second, runs))
    if as_json:
        print_json(_pairing_json(found))
    else:
        _print_pairing(found)


def _pairing_json(found: Pairing) -> dict[str, object]:
    sections = {"data": found.data, "settings": found.settings, "code": found.code}
    return {
        "runs": list(found.names),
        **{
            name: [{"what": c.what, "first": c.here, "second": c.there} for c in changes]
            for name, changes in sections.items()
        },
        "unknown": list(found.unknown),
        "methods": [_pair_json(pair) for pair in found.methods],
        "refused": found.refused,
    }


def _pair_json(pair: MethodPair) -> dict[str, object]:
    difference = pair.difference
    test = difference.significance if difference else None
    return {
        "method": pair.method,
        "first_ua": pair.here.value if pair.here else None,
        "second_ua": pair.there.value if pair.there else None,
        "difference": difference.value if difference else None,
        "low": difference.low if difference else None,
        "high": difference.high if difference else None,
        "p_holm": test.p_holm if test else None,
        "verdict": pair.verdict,
    }


def _print_pairing(found: Pairing) -> None:
    typer.echo(f"First: {found.names[0]}\nSecond: {found.names[1]}\n")
    sections = {
        "Corpus and folds": found.data,
        "Settings": found.settings,
        "Code, packages and machine": found.code,
    }
    for title, changes in sections.items():
        _print_changes(title, changes)
    for line in found.unknown:
        typer.echo(line)
    if found.refused:
        typer.echo(f"UA is not compared: {found.refused}")
    else:
        _print_methods(found.methods)
        typer.echo("\n".join(found.notes))


def _print_changes(title: str, changes: Sequence[Change]) -> None:
    from serbench.cli.output import print_table

    if not changes:
        typer.echo(f"{title}: no difference\n")
        return
    rows = [(change.what, change.here, change.there) for change in changes]
    print_table(f"{title}: differences", ("what", "first", "second"), rows)


def _print_methods(pairs: Sequence[MethodPair]) -> None:
    from serbench.cli.output import print_table

    columns = ("method", "first", "second", "second − first", "p", "verdict")
    print_table(
        "UA in %, with 95 % confidence intervals", columns, [_pair_row(pair) for pair in pairs]
    )


def _pair_row(pair: MethodPair) -> tuple[str, ...]:
    from serbench.results.table.formats import difference_text, interval_text, p_value

    difference = pair.difference
    test = difference.significance if difference else None
    return (
        pair.method,
        interval_text(pair.here) if pair.here else "",
        interval_text(pair.there) if pair.there else "",
        difference_text(difference) if difference else "",
        p_value(test.p_holm) if test else "",
        pair.verdict,
    )
