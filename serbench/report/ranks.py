"""Methods over several corpora: one table of ranks, and which methods cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.compare import MethodResult
from serbench.compare.ranks import Ranks, least_p, rank_methods
from serbench.report import render
from serbench.report.build import unique_slugs
from serbench.report.notes import p_value
from serbench.report.ranks_figure import ranks_figure
from serbench.report.results import Results, load_results
from serbench.report.settings import ABOUT, flatten
from serbench.report.tables import NOTHING, Row, Section, Table, percent
from serbench.report.write import check_output, write_combined_report, write_study
from serbench.settings import PROPER
from serbench.store import RunStore, write_atomically

NAME = "ranks"
"""The stem of the files."""

SHOWN = 4
"""Settings that a warning lists before it counts the rest."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A method that is not ranked, and why; ``method`` as the table of its corpus calls it."""

    method: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Several corpora, and what of them can be ranked.

    Attributes:
        corpora: results by the corpus's name.
        students: for each corpus its ranked methods' results, by method.
        ranks: of the methods that every corpus has once; None where fewer than two are.
        left_out: the other trained methods.
        warnings: what makes the ranks doubtful, one line each.
    """

    corpora: Mapping[str, Results]
    students: Mapping[str, Mapping[str, MethodResult]]
    ranks: Ranks | None
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]

    @property
    def certificates(self) -> str:
        """Digest of every run's certificate."""
        return ", ".join(results.certificates for results in self.corpora.values())


def rank_results(found: Sequence[Results]) -> Ranking:
    """Rank methods by pooled UA over corpora. A teacher's own head is not ranked.

    Raises:
        StoreError: fewer than two corpora, one of them is leaky, or two are the same corpus.
    """
    _check_corpora(found)
    corpora = {str(results.dataset["name"]): results for results in found}
    named = {name: _students(results) for name, results in corpora.items()}
    once = {
        corpus: {name: shown[0] for name, shown in own.items() if len(shown) == 1}
        for corpus, own in named.items()
    }
    names = list(dict.fromkeys(name for own in named.values() for name in own))
    shared = [name for name in names if all(name in own for own in once.values())]
    students = {corpus: {name: own[name] for name in shared} for corpus, own in once.items()}
    scores = {
        corpus: {name: result.pooled["ua"].value for name, result in own.items()}
        for corpus, own in students.items()
    }
    warnings = [line for results in corpora.values() for line in results.warnings]
    warnings += _settings_that_differ(corpora, students)
    return Ranking(
        corpora=corpora,
        students=students,
        ranks=rank_methods(scores) if len(shared) > 1 else None,
        left_out=tuple(_left_out(name, named) for name in names if name not in shared),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _check_corpora(found: Sequence[Results]) -> None:
    """
    Raises:
        StoreError: as ``rank_results``.
    """
    if leaky := [results.runs[0] for results in found if results.leaky]:
        named = ", ".join(f"{run.name} (protocol {run.certificate.protocol})" for run in leaky)
        raise StoreError(f"broken on purpose, so it cannot be ranked: {named}; leave it out")
    first: dict[str, str] = {}
    for results in found:
        name = str(results.dataset["name"])
        for what, key in (("name", name), ("recordings", results.dataset["corpus_digest"])):
            if key in first:
                raise StoreError(
                    f"{first[key]} and {name} are one corpus by their {what}; ranks take each "
                    "corpus once, with one set of folds: leave one out"
                )
            first[str(key)] = name
    if len(found) < 2:
        raise StoreError("ranks need runs of at least two corpora")


def _students(results: Results) -> dict[str, list[MethodResult]]:
    """The trained methods by the name that their plan gives them: a name may be in two runs."""
    by_name: dict[str, list[MethodResult]] = {}
    for result in results.comparison.students:
        name = str(results.methods[result.method].plan["name"])
        by_name.setdefault(name, []).append(result)
    return by_name


def _left_out(name: str, named: Mapping[str, Mapping[str, list[MethodResult]]]) -> LeftOut:
    reasons = []
    if missing := [corpus for corpus, own in named.items() if name not in own]:
        reasons.append(f"not run on {', '.join(missing)}")
    if several := [corpus for corpus, own in named.items() if len(own.get(name, ())) > 1]:
        reasons.append(f"in several runs of {', '.join(several)}")
    return LeftOut(name, "; ".join(reasons))


def _settings_that_differ(
    corpora: Mapping[str, Results], students: Mapping[str, Mapping[str, MethodResult]]
) -> Iterator[str]:
    """A line for each ranked method that was not trained alike on all corpora."""
    (first, own), *others = (
        (
            corpus,
            {name: _trained(corpora[corpus], result) for name, result in students[corpus].items()},
        )
        for corpus in corpora
    )
    for name, settings in own.items():
        for corpus, theirs in others:
            paths = sorted(
                path
                for path in settings.keys() | theirs[name].keys()
                if settings.get(path) != theirs[name].get(path)
            )
            if paths:
                more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
                yield (
                    f"{name} was not trained alike on {first} and {corpus}: "
                    f"{', '.join(paths[:SHOWN])}{more} differ{'s' * (len(paths) == 1)}."
                )


def _trained(results: Results, result: MethodResult) -> dict[str, str]:
    plan = results.methods[result.method].plan
    return dict(flatten({key: plan[key] for key in ABOUT if key in plan}))


# ── As a table ───────────────────────────────────────────────────────────────────────────────────


def ranks_table(ranking: Ranking) -> Table:
    """UA and rank of every method on every corpus, its average rank, and its groups.

    Raises:
        StoreError: fewer than two methods can be ranked; the message says why.
    """
    ranks = ranked(ranking)
    corpora = ranking.corpora
    letters = ranks.letters
    rows = tuple(
        (
            method,
            *(f"{percent(ua)} ({rank:g})" for ua, rank in zip(scores, places, strict=True)),
            f"{average:.2f}",
            letters[method],
        )
        for method, scores, places, average in zip(
            ranks.methods, ranks.scores.T, ranks.ranks.T, ranks.average, strict=True
        )
    )
    return Table(
        name=NAME,
        caption=f"Methods over {len(corpora)} corpora: pooled UA in % (rank)",
        columns=("Method", *corpora, "Average rank", "Group"),
        alignment="l" + "r" * (len(corpora) + 1) + "l",
        sections=(Section(rows), *_left_out_section(ranking)),
        data=_data(ranking, ranks),
        notes=notes(ranking, ranks),
        warnings=ranking.warnings,
    )


def ranked(ranking: Ranking) -> Ranks:
    """The ranks, which must be there.

    Raises:
        StoreError: fewer than two methods can be ranked; the message says why.
    """
    if ranking.ranks is None:
        reasons = "; ".join(f"{each.method}: {each.reason}" for each in ranking.left_out)
        raise StoreError(
            f"{', '.join(ranking.corpora)} share fewer than two methods to rank ({reasons}); run "
            "the same methods on each, one run of a method on a corpus"
        )
    return ranking.ranks


def _left_out_section(ranking: Ranking) -> tuple[Section, ...]:
    """UA of the methods that are not ranked, where they were run."""
    rows: list[Row] = []
    for left in ranking.left_out:
        own = {corpus: _students(results) for corpus, results in ranking.corpora.items()}
        cells = (
            " / ".join(percent(each.pooled["ua"].value) for each in found.get(left.method, ()))
            for found in own.values()
        )
        rows.append((left.method, *(cell or NOTHING for cell in cells), NOTHING, NOTHING))
    return (Section(tuple(rows), "Left out of the ranks"),) if rows else ()


def notes(ranking: Ranking, ranks: Ranks) -> tuple[str, ...]:
    """What was tested, what came of it, and who is left out."""
    left_out = "; ".join(f"{each.method} ({each.reason})" for each in ranking.left_out)
    return (
        "Rank 1 is the best; every corpus counts once. Students only. Methods that share a letter "
        "cannot be told apart.",
        _friedman_note(ranks),
        _nemenyi_note(ranks),
        *((f"Left out of the ranks: {left_out}.",) if left_out else ()),
    )


def _friedman_note(ranks: Ranks) -> str:
    found = ranks.friedman
    how = "exact" if found.exact else "sampled"
    f = f"{found.f:.2f}" if math.isfinite(found.f) else "∞"
    said = "the methods differ" if ranks.differ else "no difference can be shown"
    note = (
        f"Friedman's test, ranks permuted within corpora ({how}): p {_equals(found.p)}, {said}. "
        f"Asymptotic, for what they are worth with {len(ranks.corpora)} corpora: "
        f"χ²({found.degrees}) = {found.chi2:.2f}, p {_equals(found.p_chi2)}; Iman and Davenport's "
        f"F({found.f_degrees[0]}, {found.f_degrees[1]}) = {f}, p {_equals(found.p_f)}."
    )
    least = least_p(len(ranks.methods), len(ranks.corpora))
    if least > ranks.alpha:
        note += (
            f" With {len(ranks.corpora)} corpora p is at least {least:.2g}: too few to show "
            "anything."
        )
    return note


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _nemenyi_note(ranks: Ranks) -> str:
    critical = f"{ranks.critical_difference:.2f}"
    after = "" if ranks.differ else ", not used where Friedman's finds nothing"
    return (
        f"Nemenyi's test of all pairs{after}: average ranks that are {critical} apart differ "
        f"(α = {ranks.alpha:g}). Both after Demšar, JMLR 7, 2006."
    )


def _data(ranking: Ranking, ranks: Ranks) -> pd.DataFrame:
    letters = ranks.letters
    return pd.DataFrame(
        [
            {
                "protocol": PROPER,
                "method": method,
                "corpus": corpus,
                "ua": estimate.value,
                "ua_low": estimate.low,
                "ua_high": estimate.high,
                "rank": ranks.ranks[row, column],
                "average_rank": ranks.average[column],
                "group": letters[method],
            }
            for column, method in enumerate(ranks.methods)
            for row, corpus in enumerate(ranks.corpora)
            for estimate in (ranking.students[corpus][method].pooled["ua"],)
        ]
    )


# ── On the disk and at a terminal ────────────────────────────────────────────────────────────────


def span_corpora(folders: Sequence[Path]) -> bool:
    """Whether runs are of more than one corpus, by name, so that only ranks can join them.

    Raises:
        StoreError: a folder holds no run, or its plan is damaged.
    """
    return len(_by_corpus(folders)) > 1


def _by_corpus(folders: Sequence[Path]) -> dict[str, list[Path]]:
    grouped: dict[str, list[Path]] = {}
    for folder in folders:
        store = RunStore(folder)
        store.check()
        try:
            name = str(store.plan()["dataset"]["name"])
        except (KeyError, TypeError) as error:
            raise StoreError(f"{folder}/plan.json names no dataset ({error!r})") from error
        grouped.setdefault(name, []).append(folder)
    return grouped


def load_ranking(folders: Sequence[Path]) -> Ranking:
    """Read runs of several corpora and rank their methods.

    Raises:
        StoreError: a run is not finished, damaged or leaky; those of a corpus do not share its
            recordings and folds; there are fewer than two corpora.
    """
    return rank_results([load_results(own) for own in _by_corpus(folders).values()])


def write_ranked_report(folders: Sequence[Path], output: Path) -> Path:
    """Write ``ranks.md``, ``.csv``, ``.tex``, ``.html`` and ``.png`` over runs of several corpora
    into ``output``, and the usual report of each corpus into a folder below it.

    Returns:
        The path of ``ranks.md``.

    Raises:
        StoreError: as ``load_ranking``; fewer than two methods can be ranked; ``output`` is the
            folder of a run, or cannot be written.
    """
    check_output(output, ())
    ranking = load_ranking(folders)
    table = ranks_table(ranking)
    page = write_study(table, ranking.certificates, ranks_figure(ranked(ranking)), output)
    places = unique_slugs(ranking.corpora)
    lines = []
    for name, own in _by_corpus(folders).items():
        write_combined_report(own, output / f"corpus-{places[name]}")
        lines.append(f"- [{render.escape_markdown(name)}](corpus-{places[name]}/report.md)")
    text = render.markdown(table, f"`{ranking.certificates}`")
    figure = "![Average ranks; methods that a bar joins cannot be told apart](ranks.png)"
    parts = ["# Ranks over corpora", "", text, figure, "", "## Each corpus", "", *lines, ""]
    write_atomically(page, "\n".join(parts).encode())
    return page


def render_ranking(folders: Sequence[Path]) -> RichTable:
    """The ranks for a terminal.

    Raises:
        StoreError: as ``write_ranked_report``.
    """
    table = ranks_table(load_ranking(folders))
    shown = render.rich_table(
        escape(table.caption), "", escape(" ".join(table.notes)), table.warnings
    )
    for title, side in zip(table.columns, table.alignment, strict=True):
        shown.add_column(escape(title), justify="right" if side == "r" else "left")
    for section in table.sections:
        shown.add_section()
        for row in section.rows:
            style = "dim" if section.heading else None
            shown.add_row(*(escape(cell) for cell in row), style=style)
    return shown
