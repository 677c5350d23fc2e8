"""Ranks of methods over several corpora: which are ranked, left out, or doubtful."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serbench.api import StoreError
from serbench.errors import listed
from serbench.results.compare.ranks import Ranks, rank_methods
from serbench.results.compare.records import MethodResult
from serbench.results.report.results import Results, load_results
from serbench.results.report.settings import ABOUT, flatten
from serbench.running.store.run import RunStore

SHOWN = 4
"""Number of settings that a warning lists before it counts the rest."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A method that is not ranked, and why; ``method`` is its name in the table of its corpus."""

    method: str
    reason: str


@dataclass(frozen=True, slots=True)
class Contender:
    """A trained method of a run, and its entry in the run's plan."""

    result: MethodResult
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorpusScores:
    """The scores of one corpus, with one set of folds, that are ranked.

    Attributes:
        whole: name of the corpus; for a subset, that of the corpus that it is a part of.
        digest: digest of its recordings.
        contenders: trained methods by their names in the plans; a name may be in several runs.
        certificates: digests of its runs' certificates.
        warnings: warnings of its runs.
    """

    corpus: str
    whole: str
    digest: str
    contenders: Mapping[str, tuple[Contender, ...]]
    certificates: tuple[str, ...]
    warnings: tuple[str, ...]

    def ua(self, method: str) -> tuple[float, ...]:
        """Pooled UA of a method, in each run that has it."""
        return tuple(each.result.pooled["ua"].value for each in self.contenders.get(method, ()))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Several corpora, and the ranks of their methods.

    Attributes:
        corpora: the corpora by name.
        ranks: ranks of the methods that every corpus has once; None if there are fewer than two.
        left_out: the other trained methods.
        warnings: what makes the ranks doubtful, one line each.
    """

    corpora: Mapping[str, CorpusScores]
    ranks: Ranks | None
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]

    @property
    def certificates(self) -> tuple[str, ...]:
        """Digests of all runs' certificates."""
        return tuple(each for own in self.corpora.values() for each in own.certificates)


def rank_corpora(found: Sequence[CorpusScores]) -> Ranking:
    """Rank methods by pooled UA over corpora.

    Raises:
        StoreError: there are fewer than two corpora, or two are the same.
    """
    _check_distinct(found)
    corpora = {scores.corpus: scores for scores in found}
    names = list(dict.fromkeys(name for scores in found for name in scores.contenders))
    shared = [name for name in names if all(len(each.ua(name)) == 1 for each in found)]
    table = {corpus: {name: own.ua(name)[0] for name in shared} for corpus, own in corpora.items()}
    warnings = [line for scores in found for line in scores.warnings]
    warnings += [line for name in shared for line in _settings_that_differ(name, found)]
    return Ranking(
        corpora=corpora,
        ranks=rank_methods(table) if len(shared) > 1 else None,
        left_out=tuple(_left_out(name, found) for name in names if name not in shared),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _check_distinct(found: Sequence[CorpusScores]) -> None:
    """
    Raises:
        StoreError: see ``rank_corpora``.
    """
    first: dict[tuple[str, str], str] = {}
    for scores in found:
        for key in (("name", scores.whole), ("recordings", scores.digest)):
            if key in first:
                raise StoreError(
                    f"{first[key]} and {scores.corpus} are the same corpus: they have the same "
                    f"{key[0]}. Ranks take each corpus once, with one set of folds: leave one out"
                )
            first[key] = scores.corpus
    if len(found) < 2:
        raise StoreError("ranks need runs of at least two corpora")


def _left_out(name: str, found: Sequence[CorpusScores]) -> LeftOut:
    reasons = []
    if missing := [each.corpus for each in found if not each.ua(name)]:
        reasons.append(f"not run on {', '.join(missing)}")
    if several := [each.corpus for each in found if len(each.ua(name)) > 1]:
        reasons.append(f"in several runs of {', '.join(several)}")
    return LeftOut(name, "; ".join(reasons))


def _settings_that_differ(name: str, found: Sequence[CorpusScores]) -> Iterator[str]:
    """A line for each corpus on which a method was trained differently than on the first."""
    first, *others = found
    settings = _trained(first.contenders[name][0])
    for other in others:
        theirs = _trained(other.contenders[name][0])
        paths = sorted(
            path
            for path in settings.keys() | theirs.keys()
            if settings.get(path) != theirs.get(path)
        )
        if paths:
            yield (
                f"{name} was trained differently on {first.corpus} and {other.corpus}: "
                f"{listed(paths, SHOWN)} differ{'s' * (len(paths) == 1)}."
            )


def _trained(contender: Contender) -> dict[str, str]:
    return dict(flatten({key: contender.plan[key] for key in ABOUT if key in contender.plan}))


def rank_results(found: Sequence[Results]) -> Ranking:
    """Rank the trained methods of several corpora. A teacher's own head is not ranked.

    Raises:
        StoreError: there are fewer than two corpora, one of them is leaky, or two are the same
            corpus.
    """
    if leaky := [results.runs[0] for results in found if results.leaky]:
        named = ", ".join(f"{run.name} (protocol {run.certificate.protocol})" for run in leaky)
        raise StoreError(f"broken on purpose, so it cannot be ranked: {named}; leave it out")
    return rank_corpora([_scores_of(results) for results in found])


def _scores_of(results: Results) -> CorpusScores:
    contenders: dict[str, tuple[Contender, ...]] = {}
    for result in results.comparison.students:
        plan = results.methods[result.method].plan
        name = str(plan["name"])
        contenders[name] = (*contenders.get(name, ()), Contender(result, plan))
    return CorpusScores(
        corpus=str(results.dataset["name"]),
        whole=whole_corpus(results.dataset),
        digest=str(results.dataset["corpus_digest"]),
        contenders=contenders,
        certificates=results.certificates,
        warnings=results.warnings,
    )


def whole_corpus(dataset: Mapping[str, Any]) -> str:
    """The name of a plan's dataset; of a subset, that of the corpus that it is a part of."""
    return str(dataset["evaluated" if dataset.get("subset") else "name"])


def span_corpora(folders: Sequence[Path]) -> bool:
    """Whether runs are of more than one corpus, by name, so that only ranks can compare them.

    Raises:
        StoreError: a folder has no run, or its plan is damaged.
    """
    return len(by_corpus(folders)) > 1


def by_corpus(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Run folders by the corpus's name.

    Raises:
        StoreError: a folder has no run, or its plan is damaged.
    """
    grouped: dict[str, list[Path]] = {}
    for folder in folders:
        store = RunStore(folder)
        store.check()
        name = str(store.plan()["dataset"]["name"])
        grouped.setdefault(name, []).append(folder)
    return grouped


def load_ranking(folders: Sequence[Path]) -> Ranking:
    """Read runs of several corpora and rank their methods.

    Raises:
        StoreError: a run is not finished, damaged or leaky; those of a corpus do not share its
            recordings and folds; there are fewer than two corpora.
    """
    return rank_results([load_results(own) for own in by_corpus(folders).values()])
