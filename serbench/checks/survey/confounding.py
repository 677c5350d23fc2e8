"""Whether something other than emotion in the voice predicts the class: speaker, sentence, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats.contingency import association
from sklearn.metrics import normalized_mutual_info_score

from serbench.checks.finding import Finding, Outcome, named
from serbench.checks.survey.records import cut, plain_table
from serbench.data.corpus.table import Utterance
from serbench.errors import listed, numbered
from serbench.results.table.table import Table

SHORTCUT_NOTE = 0.05
SHORTCUT_WARNING = 0.1
SHORTCUT_ERROR = 0.5
"""Score of a guess without the voice, scaled so that chance is 0 and a perfect score is 1. Good
methods differ by about ``SHORTCUT_WARNING``. From ``SHORTCUT_ERROR`` on, more of the score can come
from the shortcut than from emotion.
"""

SHUFFLES = 100
"""Number of label shuffles that show what many small speakers score by chance."""

SEED = 20_230

TENTHS = 10
"""Number of quantiles of a value to guess from: enough to predict, each with enough utterances."""

FEW = 2
"""A speaker or sentence needs this many utterances before a single class counts."""


@dataclass(frozen=True)
class Crossed:
    """Counts of R keys by C classes.

    Attributes:
        rows, columns: their names, sorted.
        counts: ``(R, C)`` int64.
        keys, labels: key and label of each utterance, as positions in ``rows`` and ``columns``.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: NDArray[np.int64]
    keys: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def cramers_v(self) -> float:
        """Cramér's V, 0 … 1; 0 if there is one key or one class."""
        if min(self.counts.shape) < 2:
            return 0.0
        return float(association(self.counts, method="cramer"))

    @property
    def mutual_information(self) -> float:
        """Mutual information divided by the mean of both entropies, 0 … 1."""
        return float(normalized_mutual_info_score(self.keys, self.labels))

    @property
    def single(self) -> tuple[str, ...]:
        """Keys with at least ``FEW`` utterances, all of one class."""
        return tuple(self.rows[row] for row in np.flatnonzero(_single(self.counts)))

    def guess(self) -> float:
        """UA of always answering a key's most frequent class, on the same utterances."""
        return _majority_ua(self.counts)

    def shuffled_guess(self) -> float:
        """The mean of ``guess`` with shuffled labels: what small keys score by chance."""
        return self._shuffled()[0]

    def shuffled_single(self) -> float:
        """Expected number of keys with one class only if labels are shuffled."""
        return self._shuffled()[1]

    def guess_across(self, groups: Sequence[str]) -> float:
        """UA of answering the class that a key suggests most, counted in all other groups.

        A key suggests a class by its share of the class's utterances. Ties are shared; for a key
        that no other group has, all classes share the guess. So chance is ``1 / C``.

        Args:
            groups: group of each utterance, such as its speaker.
        """
        _, group = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
        pairs, pair = np.unique(
            np.stack([group, self.keys], axis=1), axis=0, return_inverse=True
        )  # (P, 2): which group has which key
        pair = pair.reshape(-1)
        classes = len(self.columns)
        own = np.zeros((len(pairs), classes), dtype=np.int64)
        np.add.at(own, (pair, self.labels), 1)
        of_group = np.zeros((int(group.max()) + 1, classes), dtype=np.int64)
        np.add.at(of_group, (group, self.labels), 1)
        others = self.counts[pairs[:, 1]] - own
        sizes = self.counts.sum(axis=0) - of_group[pairs[:, 0]]
        share = others / np.maximum(sizes, 1)  # (P, C)
        best = np.isclose(share, share.max(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)
        credit = best / best.sum(axis=1, keepdims=True)
        right = credit[pair, self.labels]
        return float(np.mean([right[self.labels == c].mean() for c in range(classes)]))

    def transposed(self) -> Crossed:
        """The same counts, with classes as rows and keys as columns."""
        return Crossed(self.columns, self.rows, self.counts.T, self.labels, self.keys)

    def table(self, caption: str, what: str) -> Table:
        """The counts as a table, with the sum of each row."""
        rows = (
            (name, *map(str, counts.tolist()), str(counts.sum()))
            for name, counts in zip(self.rows, self.counts, strict=True)
        )
        columns = (what, *self.columns, "All")
        return plain_table(what.lower(), caption, columns, cut(rows, "rows"))

    def _shuffled(self) -> tuple[float, float]:
        random = np.random.default_rng(SEED)
        scores, singles = [], []
        for _ in range(SHUFFLES):
            counts = np.zeros_like(self.counts)
            np.add.at(counts, (self.keys, random.permutation(self.labels)), 1)
            scores.append(_majority_ua(counts))
            singles.append(int(_single(counts).sum()))
        return float(np.mean(scores)), float(np.mean(singles))


def cross(keys: Sequence[str], labels: Sequence[str]) -> Crossed:
    """Count classes by key; there must be at least one utterance."""
    rows, key = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True)
    columns, label = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(counts, (key, label), 1)
    return Crossed(tuple(map(str, rows)), tuple(map(str, columns)), counts, key, label)


def guess_by_value(values: Sequence[float], labels: Sequence[str], groups: Sequence[str]) -> float:
    """``Crossed.guess_across`` for a number: its tenths, from the lowest to the highest, are keys.

    Args:
        values: value of each utterance.
        labels: label of each utterance.
        groups: group of each utterance, such as its speaker.
    """
    every = np.asarray(values, dtype=np.float64)
    edges = np.unique(np.quantile(every, np.arange(1, TENTHS) / TENTHS))
    keys = np.searchsorted(edges, every, side="right")
    return cross([str(key) for key in keys], labels).guess_across(groups)


def shortcut_outcome(ua: float, classes: int) -> Outcome:
    """Outcome for a guess without the voice that has this UA; chance is ``1 / classes``."""
    return _outcome(_above(ua, 1 / classes))


def guess_text(ua: float, classes: int) -> str:
    """The UA of a guess without the voice in words, with chance."""
    return f"{100 * ua:.1f} % UA on held-out speakers (chance: {100 / classes:.1f} %)"


def check_speakers(utterances: Sequence[Utterance]) -> Finding:
    """Whether the speaker predicts the class."""
    table = cross([u.speaker for u in utterances], [u.label for u in utterances])
    if len(table.rows) == 1:
        return Finding(
            "speaker-label",
            "passed",
            f"There is only one speaker, {table.rows[0]}, so the speaker predicts no class.",
        )
    ua, luck = table.guess(), table.shuffled_guess()
    outcome = _outcome(_above(ua, luck))
    single = table.single
    usual = table.shuffled_single()
    if len(single) > usual + len(table.rows) / 2:
        outcome = "failed"
    elif len(single) > usual + 0.5 and outcome in {"passed", "note"}:
        outcome = "warning"
    alone = (
        f"{len(single)} of {len(table.rows)} speakers have one emotion only"
        + (f" (expected by chance: {usual:.1f})" if usual >= 0.5 else "")
        if single
        else f"None of {len(table.rows)} speakers has one emotion only"
    )
    what = (
        f"{alone}. Answering each speaker's most frequent emotion reaches {100 * ua:.1f} % UA "
        f"({100 * luck:.1f} % with labels shuffled). Cramér's V {table.cramers_v:.2f}, "
        f"normalised mutual information {table.mutual_information:.2f}."
    )
    tables = (table.table("Utterances of each speaker by class", "Speaker"),)
    if outcome in {"passed", "note"}:
        return Finding("speaker-label", outcome, what, "", named(single), tables=tables)
    return Finding(
        "speaker-label",
        outcome,
        what,
        "A model can infer the emotion from the voice, and no score shows the difference. Use "
        "speakers with all emotions, or another corpus.",
        named(single),
        tables=tables,
    )


def check_trait(
    check: str, trait: str, values: Mapping[str, str], utterances: Sequence[Utterance]
) -> Finding:
    """Whether a trait of utterances predicts the class.

    Args:
        check: name of the finding's check.
        trait: its name, such as ``gender``.
        values: values of the trait by utterance id; some utterances may have none.
        utterances: utterances of the corpus.
    """
    known = [u for u in utterances if u.id in values]
    table = cross([values[u.id] for u in known], [u.label for u in known])
    ua = table.guess_across([u.speaker for u in known])
    outcome = shortcut_outcome(ua, len(table.columns))
    tables = (table.table(f"Utterances of each {trait} by class", trait.capitalize()),)
    some = "" if len(known) == len(utterances) else f" (it is known for {len(known)} utterances)"
    what = (
        f"A classifier that sees only the {trait} reaches "
        f"{guess_text(ua, len(table.columns))}{some}. Cramér's V {table.cramers_v:.2f}."
    )
    if absent := [f"{c} ({r})" for r, c in _absent(table)]:
        what += f" Missing: {listed(absent, 4)}."
        outcome = "note" if outcome == "passed" else outcome
    advice = f"Report scores by {trait} too, and look at them before the total."
    return Finding(check, outcome, what, "" if outcome == "passed" else advice, tables=tables)


def check_sentences(utterances: Sequence[Utterance]) -> Finding:
    """Whether the sentence predicts the class."""
    known = [u for u in utterances if u.text is not None]
    if not known:
        return Finding(
            "sentence-label", "note", "The corpus does not declare which sentence is spoken.",
            "If its sentences are scripted, declare them (text), so that shared ones are found.",
        )  # fmt: skip
    table = cross([u.text or "" for u in known], [u.label for u in known])
    ua = table.guess_across([u.speaker for u in known])
    single = table.single
    outcome = shortcut_outcome(ua, len(table.columns))
    what = (
        f"{len(single) or 'None'} of {numbered(len(table.rows), 'sentence')} "
        f"{'is' if len(single) < 2 else 'are'} spoken in one emotion only. A classifier that "
        f"sees only the sentence reaches {guess_text(ua, len(table.columns))}."
    )
    tables = (table.table("Utterances of each sentence by class", "Sentence"),)
    advice = (
        "Words alone can predict the class: test on sentences that are not in training, with "
        "--set protocol.group_by=text."
    )
    remedy = "" if outcome == "passed" else advice
    return Finding("sentence-label", outcome, what, remedy, named(single), tables=tables)


def _absent(table: Crossed) -> list[tuple[str, str]]:
    return [(table.rows[r], table.columns[c]) for r, c in np.argwhere(table.counts == 0)]


def _single(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (counts.max(axis=1) == counts.sum(axis=1)) & (counts.sum(axis=1) >= FEW)


def _majority_ua(counts: NDArray[np.int64]) -> float:
    """UA of a key's most frequent class; ties share the answer."""
    best = counts == counts.max(axis=1, keepdims=True)
    credit = best / best.sum(axis=1, keepdims=True)
    return float(np.mean((counts * credit).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)))


def _above(ua: float, chance: float) -> float:
    return (ua - chance) / max(1 - chance, 1e-9)


def _outcome(excess: float) -> Outcome:
    if excess >= SHORTCUT_ERROR:
        return "failed"
    if excess >= SHORTCUT_WARNING:
        return "warning"
    return "note" if excess >= SHORTCUT_NOTE else "passed"
