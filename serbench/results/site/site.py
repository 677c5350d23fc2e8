"""Writes the site: every page completely, and only over an earlier site."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from serbench.api.json_text import read_object
from serbench.errors import SerbenchError, listed
from serbench.files.atomic import json_bytes, sweep_temporaries, write_atomically, write_text
from serbench.files.paths import below
from serbench.results.record import OfRuns, no_studies
from serbench.results.report.build import Adds, nothing_more, unique_slugs
from serbench.results.site.boards import BoardLine, CorpusBoards, corpora, rank_boards
from serbench.results.site.collect import MARKER, Collection, ListedRun, UnlistedRun, collect
from serbench.results.site.pages import corpus_page, index_page
from serbench.results.site.tables import Links
from serbench.results.table.columns import bounds

KIND = "serbench leaderboard"
SCHEMA_VERSION = 1

LIST = TypeAdapter(list[object])

OURS = re.compile(r"(corpora|runs)/[A-Za-z0-9._-]+\.html")
"""Names of pages that a rebuild may remove."""


@dataclass(frozen=True, slots=True)
class Written:
    """A site that was written.

    Attributes:
        index: the first page.
        corpora: every corpus by name.
        problems: what could not be listed.
    """

    index: Path
    corpora: tuple[CorpusBoards, ...]
    problems: tuple[UnlistedRun, ...]

    @property
    def lines(self) -> tuple[BoardLine, ...]:
        """Lines of all methods that are listed and not leaky."""
        boards = (board for corpus in self.corpora for board in corpus.boards)
        return tuple(line for board in boards for line in board.students)


def write_leaderboard(
    folder: Path, output: Path, adds: Adds = nothing_more, studies: OfRuns = no_studies
) -> Written:
    """Write a static site over every run below ``folder``.

    The same runs give the same bytes. An existing site is replaced page by page, and pages of runs
    that no longer exist are removed.

    Args:
        folder: a folder that contains runs, at any depth.
        output: where the site is written.
        adds: returns what else a run's own report has.
        studies: finds the records of studies about a run.

    Raises:
        SerbenchError: there is no such folder, no finished run below it, ``output`` contains
            something else than a site, or it cannot be written.
    """
    before = _pages_of(output)
    collection = collect(folder, adds, studies)
    if not collection.entries:
        raise SerbenchError(_nothing(folder, collection.problems))
    found = corpora(collection)
    pages = _pages(found, collection)
    marker = {"kind": KIND, "schema_version": SCHEMA_VERSION}
    # If this is interrupted from here on, the next build still recognises the site.
    both = sorted(before | pages.keys() - {"index.html"})
    write_atomically(output / MARKER, json_bytes({**marker, "pages": both, "rows": []}, MARKER))
    for path, text in pages.items():
        write_text(below(output, path), text)
    for path in before - pages.keys():
        below(output, path).unlink(missing_ok=True)
    content = {**marker, "pages": sorted(pages), "rows": _rows(found)}
    write_atomically(output / MARKER, json_bytes(content, MARKER))
    sweep_temporaries(output)
    return Written(output / "index.html", found, collection.problems)


def _pages_of(output: Path) -> set[str]:
    """Pages of an existing site, as paths below its folder; none if there is no site.

    Raises:
        SerbenchError: ``output`` is a file, or a folder with something else in it.
    """
    if not output.exists():
        return set()
    if not output.is_dir():
        raise SerbenchError(f"{output} is a file; give a folder for the leaderboard")
    marker = output / MARKER
    if not marker.is_file():
        if any(not entry.name.startswith(f".{MARKER}.") for entry in output.iterdir()):
            raise SerbenchError(
                f"{output} is not a leaderboard and not empty; give a new or empty folder with "
                "--output"
            )
        return set()
    try:
        content = read_object(marker.read_bytes())
        kind = content["kind"]
        named = LIST.validate_python(content["pages"])
    except (OSError, ValueError, KeyError) as error:
        raise SerbenchError(
            f"{marker} cannot be read ({error!r}); give another folder with --output, or remove "
            f"{output} if it is a leaderboard"
        ) from error
    if kind != KIND:
        raise SerbenchError(
            f"{output} is not a leaderboard: serbench did not write its {MARKER}; give another "
            "folder with --output"
        )
    return {page for page in named if isinstance(page, str) and OURS.fullmatch(page)}


def _nothing(folder: Path, problems: Sequence[UnlistedRun]) -> str:
    if not problems:
        return f"no run found in {folder} or its subfolders; make one with `serbench run`"
    reasons = listed((f"{each.label}: {each.reason}" for each in problems), 3, clauses=True)
    return f"no finished run found in {folder} or its subfolders ({reasons})"


def _pages(found: Sequence[CorpusBoards], collection: Collection) -> dict[str, str]:
    """Texts by path below the site's folder; pages that others link to come first."""
    shown = [entry for entry in collection.entries if entry.page]
    runs = dict(zip((each.label for each in shown), _run_paths(shown), strict=True))
    # Some file systems do not distinguish upper and lower case.
    slugs = unique_slugs(corpus.name.lower() + "\0" * _twins(corpus, found) for corpus in found)
    places = {
        corpus.name: f"corpora/{slug}.html"
        for corpus, slug in zip(found, slugs.values(), strict=True)
    }
    pages = {runs[entry.label]: entry.page for entry in shown}
    inner = Links(runs, places, up="../")
    pages |= {places[corpus.name]: corpus_page(corpus, inner) for corpus in found}
    links = Links(runs, places)
    first = index_page(found, rank_boards(found), collection.problems, links, MARKER)
    return pages | {"index.html": first}


def _twins(corpus: CorpusBoards, found: Sequence[CorpusBoards]) -> int:
    """How many corpora before this one have the same name except for upper and lower case."""
    before = found[: list(found).index(corpus)]
    return sum(each.name.lower() == corpus.name.lower() for each in before)


def _run_paths(entries: Sequence[ListedRun]) -> list[str]:
    """Paths of runs' pages, named after the certificate, so that addresses do not change when runs
    are added or removed.
    """
    names = []
    for entry in entries:
        corpus = next(iter(unique_slugs([str(entry.results.dataset["name"]).lower()]).values()))
        names.append(f"{corpus[:40]}-{entry.digest[:16]}")
    return [f"runs/{slug}.html" for slug in names]


def _rows(found: Sequence[CorpusBoards]) -> list[Mapping[str, object]]:
    """Every listed method as numbers, in the order of the first page; leaky runs are marked."""
    rows = []
    for corpus in found:
        lines = [line for board in corpus.boards for line in board.students]
        lines += [
            BoardLine(entry, result.method, result)
            for entry in corpus.leaky
            for result in entry.results.comparison.students
        ]
        rows += [_row(corpus, line) for line in lines]
    return rows


def _row(corpus: CorpusBoards, line: BoardLine) -> dict[str, object]:
    plan, certificate = line.entry.results.runs[0].plan, line.entry.results.runs[0].certificate
    scores = {
        key: value
        for metric, estimate in line.result.pooled.items()
        for key, value in bounds(metric, estimate).items()
    }
    parameters = line.info.parameters
    return {
        "corpus": corpus.name,
        "method": line.method,
        "run": line.entry.label,
        "protocol": certificate.protocol,
        "student": line.info.student,
        "profile": line.profile,
        "epochs_min": line.epochs[0] if line.epochs else None,
        "epochs_max": line.epochs[1] if line.epochs else None,
        "parameters_min": parameters[0] if parameters else None,
        "parameters_max": parameters[1] if parameters else None,
        "seeds": line.result.seeds,
        **scores,
        "certificate": certificate.digest,
        "corpus_digest": plan["dataset"]["corpus_digest"],
        "folds_digest": plan["folds_digest"],
    }
