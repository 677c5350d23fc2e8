"""Makes the folds of a run: it handles copies first, then makes outer folds, then inner ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from serbench.api import Advance, SplitError
from serbench.data.corpus.table import CorpusTable, Utterance, table_digest
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.protocol.guard.near.search import NearPair, near_duplicates
from serbench.protocol.splits.groups import linked_groups
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits, random_splits, trained_only
from serbench.protocol.splits.records import Split, set_name
from serbench.running.harness.observer import Observer
from serbench.running.plan.records import MethodPlan, RunPlan, digest_of, stable_seed
from serbench.settings import RANDOM_FOLDS, ProtocolSettings


@dataclass(frozen=True)
class Folds:
    """A corpus and its folds.

    Attributes:
        table: the corpus, without the copies that were left out.
        outer: the outer folds.
        inner: the inner folds of each outer fold, in order; empty if no method chooses anything.
        near: near-duplicates of the corpus, before any were left out.
        dropped: utterances that were left out as copies.
        copied: utterances with a copy in the unlabelled audio.
        trained_only: utterances that the split uses for training only.
    """

    table: CorpusTable
    outer: tuple[Split, ...]
    inner: tuple[tuple[Split, ...], ...]
    near: tuple[NearPair, ...]
    dropped: tuple[str, ...]
    copied: tuple[NearPair, ...] = ()
    trained_only: tuple[str, ...] = ()

    @property
    def tested(self) -> tuple[Utterance, ...]:
        """The utterances that an outer fold tests, in the table's order."""
        tested = {i for split in self.outer for i in split.test.ids}
        return tuple(u for u in self.table.utterances if u.id in tested)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the utterances that each outer fold tests, and of its test sets."""
        return digest_of(
            [
                [split.name, list(split.test.ids), *([sets] if sets else [])]
                for split in self.outer
                for sets in ([[part.name, list(part.ids)] for part in split.test_sets],)
            ]
        )

    @property
    def headline(self) -> Folds:
        """The same folds, with only the first test set of each outer fold."""
        return replace(self, outer=tuple(split.headline for split in self.outer))


def searches(method: MethodPlan) -> bool:
    """Whether anything of a method is chosen on inner folds."""
    return len(method.candidates) > 1 or any(
        candidate.settings.training.early_stopping for candidate in method.candidates
    )


def plan_folds(
    plan: RunPlan,
    table: CorpusTable,
    cache: Path,
    watch: Observer,
    audio: UnlabelledAudio | None = None,
) -> Folds:
    """Compare all recordings, then make the folds of a plan.

    Recordings of ``audio``, which students are pretrained on, are compared with the corpus's.

    Raises:
        SplitError: the folds cannot be made from this corpus.
        CorpusError: a file can no longer be read.
    """
    advance = partial(watch.advance, "near-duplicates")
    near = near_duplicates(table.utterances, cache, advance)
    search = any(searches(method) for method in plan.methods)
    try:
        folds = make_folds(table, plan.folds, plan.protocol, near, search)
    except SplitError as error:
        if (subset := plan.dataset.subset) is None:
            raise
        raise SplitError(
            f"{error}. {subset.option} may have left too little of the corpus: use more of it"
        ) from error
    if audio is None:
        return folds
    advance = partial(watch.advance, "copies in the unlabelled audio")
    return replace(folds, copied=copies_in_audio(table, audio, cache, advance))


def copies_in_audio(
    table: CorpusTable, audio: UnlabelledAudio, cache: Path, advance: Advance
) -> tuple[NearPair, ...]:
    """Pairs of an utterance and a recording of ``audio`` that is a copy of it.

    They are searched separately from the pairs within the corpus. These must not depend on other
    audio, because a run can be recomputed without it.

    Raises:
        CorpusError: a file can no longer be read.
    """
    own = frozenset(table.ids)
    pairs = near_duplicates([*table.utterances, *audio.utterances], cache, advance)
    return tuple(pair for pair in pairs if (pair.one in own) != (pair.other in own))


def make_folds(
    table: CorpusTable,
    folds: str,
    protocol: ProtocolSettings,
    near: Sequence[NearPair],
    search: bool,
) -> Folds:
    """The folds of a protocol over a corpus whose near-duplicates are known.

    Args:
        table: the whole corpus.
        folds: name of the outer folds, or a fold file.
        protocol: how inner folds, copies and sentences are handled.
        near: near-duplicates of the corpus; exact copies are among them.
        search: whether inner folds are needed.

    Raises:
        SplitError: the folds cannot be made from this corpus.
    """
    links = [(pair.one, pair.other) for pair in near]
    dropped: tuple[str, ...] = ()
    if protocol.duplicates == "drop":
        table, dropped = _without_copies(table, links)
    outer = outer_splits(
        table,
        folds,
        protocol.kfold,
        text_groups=protocol.text_groups if protocol.group_by == "text" else 1,
        links=links if protocol.duplicates == "group" else (),
    )
    only = trained_only(table, folds)
    _check_speakers(table, outer)
    if protocol.name in RANDOM_FOLDS:
        if only:
            raise SplitError(
                f"protocol {protocol.name} assigns all utterances to folds, but the folds {folds} "
                f"of {table.name} never test {len(only)} of them; choose other folds with "
                "--set protocol.folds=loso"
            )
        outer = random_splits(table, len(outer), stable_seed("random folds", table.digest))
    inner = tuple(
        inner_splits(table, outer, index, protocol.inner) for index in range(len(outer) * search)
    )
    return Folds(table, outer, inner, tuple(near), dropped, trained_only=only)


def _check_speakers(table: CorpusTable, outer: Sequence[Split]) -> None:
    """
    Raises:
        SplitError: all folds together, or a test set, have a single test speaker. This is reported
            before anything is fitted.
    """
    tested: dict[str, set[str]] = {}
    for split in outer:
        for part in split.test_sets or (split.test,):
            what = f"the test set {set_name(part)} has" if split.test_sets else "the folds test"
            tested.setdefault(what, set()).update(table.by_id[i].speaker for i in part.ids)
    for what, speakers in tested.items():
        if len(speakers) < 2:
            raise SplitError(
                f"{table.name}: {what} a single speaker ({', '.join(speakers)}), which allows "
                "no confidence interval and no significance test; choose other folds, or another "
                "corpus to test on"
            )


def _without_copies(
    table: CorpusTable, links: Sequence[tuple[str, str]]
) -> tuple[CorpusTable, tuple[str, ...]]:
    """The corpus with only the first utterance of each set of copies, and the ids of the others."""
    dropped = tuple(i for group in linked_groups(table.ids, links) for i in group[1:])
    gone = frozenset(dropped)
    kept = tuple(u for u in table.utterances if u.id not in gone)
    return replace(table, utterances=kept, digest=table_digest(kept)), dropped
