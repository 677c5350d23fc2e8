"""``serbench corpus check``: is a corpus worth a benchmark?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from serbench.cli.options import AllowIncomplete, DataDir, RegistryFile

if TYPE_CHECKING:
    from serbench.api import Corpus
    from serbench.checks.survey.records import Survey

HELP = """Hold a corpus against its card; look for what a model could answer by in place of emotion.

Counts, unreadable files, durations, formats, silence, clipping, copies; whether the speaker, the
gender or the sentence tells the emotion; folds, and what is heard on both sides of them. Every file
is read. Exits with 1 where a finding is an error: scores are not to be trusted before it is dealt
with; 0 otherwise.

Examples:

  serbench corpus check emodb

  serbench corpus check ravdess --data-dir ~/corpora/ravdess --output ravdess.html

  serbench corpus check mine --registry my.toml --folds loso
"""

NAMES = 8
"""Names that are printed before the rest are counted; the page has more."""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Dataset or corpus.")],
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a page with all evidence here."),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            help="Folds to look at: a fold set of the corpus, loso, kfold, or a CSV file. "
            "Default: its own."
        ),
    ] = None,
    allow_incomplete: AllowIncomplete = False,
    registry: RegistryFile = None,
) -> None:
    """Check a corpus; see HELP."""
    from serbench.checks.survey.page import survey_page
    from serbench.files.atomic import write_atomically

    found = _survey(name, data_dir, folds, allow_incomplete, registry)
    _print(found)
    if output is not None:
        write_atomically(output, survey_page(found).encode())
        typer.echo(f"Page: {output}")
    if found.harms:
        raise typer.Exit(1)


def _survey(
    name: str, data_dir: Path | None, folds: str | None, incomplete: bool, registry: Path | None
) -> Survey:
    """The corpus, found or fetched, and looked at."""
    from functools import partial

    from serbench.checks.survey.run import survey
    from serbench.cli.progress import progress_observer
    from serbench.data.corpus.locate import locate
    from serbench.files.cache_use import using_cache
    from serbench.files.paths import cache_folder
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    spec = known.dataset(name)
    corpus = cast("Corpus", known.make("corpora", name))
    cache = cache_folder()
    with using_cache(cache), progress_observer(plugins.hook) as watch:
        advance = partial(watch.advance, "corpus")
        folder = locate(corpus, name, data_dir, cache, advance, watch.announce, spec.path)
        wanted = folds or spec.folds
        return survey(corpus, name, folder, wanted, cache, watch.advance, incomplete)


def _print(found: Survey) -> None:
    from serbench.checks.survey.page import facts
    from serbench.checks.survey.records import CHECKS, verdict
    from serbench.cli.output import print_table

    for title, value in facts(found)[:6]:
        _say(f"{title}: {value}")
    _say("")
    rows = [(f.code, f.severity, f.what) for f in found.findings]
    print_table(f"Check of {found.dataset}", ("Check", "Outcome", "Finding"), rows)
    told = [f for each in ("error", "warning", "note") for f in found.of(each)]
    for finding in told:
        names = _names(finding.names)
        if not finding.advice and not names:
            continue
        _say(f"{finding.severity} {finding.code}: {CHECKS[finding.code][1]}")
        for line in (finding.advice, names):
            if line:
                _say(f"  {line}", "  ")
        _say("")
    _say(f"{found.dataset}: {verdict(found)}")


def _names(names: tuple[str, ...]) -> str:
    from serbench.checks.survey.records import shown

    return f"Which: {shown(names, NAMES)}" if names else ""


def _say(line: str, indent: str = "  ") -> None:
    """One line, wrapped to a terminal's width with its continuation indented."""
    import shutil
    import textwrap

    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
    typer.echo(line)
