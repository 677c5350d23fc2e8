"""Tables that are made of whole corpora: with fewer classes, or to train on some corpora and test
on another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from serbench.api.corpus import CorpusCard
from serbench.data.corpus.table import CorpusTable, Utterance, table_digest
from serbench.errors import CorpusError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""Sides of a corpus's own split, in ``Utterance.official``; see ``is_test_set``."""


def is_test_set(official: str) -> bool:
    """Whether a side is a test set: ``"test"``, or another name that begins so."""
    return official.startswith(TEST)


def is_split_in_sides(named: Iterable[str]) -> bool:
    """Whether the names of a corpus's own split are sides, and not folds that test their rows.

    They are sides if all are training, validation or test sets, and not all are numbered test sets.
    """
    names = set(named)
    sides = {name for name in names if name in {TRAIN, VALIDATION} or is_test_set(name)}
    return names == sides and bool(names & {TRAIN, VALIDATION, TEST})


def relabel(
    table: CorpusTable, name: str, map_name: str, classes: Mapping[str, str]
) -> CorpusTable:
    """A table of the utterances whose label has a class, with the class as their label.

    Units without such utterances are removed from the fold sets.

    Args:
        table: a whole corpus.
        name: name of the new table.
        map_name: name of the label map, for the description of the table.
        classes: labels to classes; a label that is not among them is left out.

    Raises:
        CorpusError: nothing is left.
    """
    kept = tuple(
        replace(utterance, label=classes[utterance.label])
        for utterance in table.utterances
        if utterance.label in classes
    )
    if not kept:
        raise CorpusError(
            f"{table.name} has no utterance with a label of the label map {map_name} "
            f"({', '.join(classes)}); its labels are {', '.join(table.labels)}"
        )
    labels = tuple(sorted({utterance.label for utterance in kept}))
    left = {table.unit_of(utterance) for utterance in kept}
    fold_sets = {
        key: tuple(tuple(unit for unit in fold if unit in left) for fold in folds)
        for key, folds in table.card.fold_sets.items()
    }
    said = _classes_line(table, map_name, classes)
    return replace(
        table,
        name=name,
        evaluated=table.name,
        whole=(table,),
        card=_without_counts(replace(table.card, labels=labels, fold_sets=fold_sets)),
        utterances=kept,
        digest=table_digest(kept),
        made=(*table.made, said),
    )


def join(name: str, training: Sequence[CorpusTable], tested: CorpusTable) -> CorpusTable:
    """One table of several corpora; its own split trains on ``training`` and tests on ``tested``.

    Ids, speakers, sessions and sentences begin with their corpus's name, so that those of different
    corpora cannot be confused.

    Raises:
        CorpusError: a class is tested that is not trained on.
    """
    parts = (*training, tested)
    sessions = any(part.card.unit == "session" for part in parts)
    utterances = tuple(
        sorted(
            (
                _named(part, utterance, TEST if part is tested else TRAIN, sessions)
                for part in parts
                for utterance in part.utterances
            ),
            key=lambda utterance: utterance.id,
        )
    )
    trained = {utterance.label for part in training for utterance in part.utterances}
    labels = tuple(sorted(trained))
    if unheard := sorted({utterance.label for utterance in tested.utterances} - trained):
        raise CorpusError(
            f"{tested.name} has {', '.join(unheard)}, but no training corpus "
            f"({', '.join(part.name for part in training)}) has; choose classes that all corpora "
            "have with --labels"
        )
    names = " + ".join(part.card.title for part in training)
    card = CorpusCard(
        title=f"{names} to {tested.card.title}",
        language=" + ".join(dict.fromkeys(part.card.language for part in parts)),
        licence="; ".join(dict.fromkeys(part.card.licence for part in parts)),
        home="; ".join(dict.fromkeys(part.card.home for part in parts)),
        citation="; ".join(dict.fromkeys(part.card.citation for part in parts)),
        elicitation=tested.card.elicitation,
        labels=labels,
        unit="session" if sessions else "speaker",
        names=(tested.card.title, *tested.card.names),
        made_of=tested.card.made_of,
    )
    return CorpusTable(
        name,
        card,
        tested.folder,
        utterances,
        table_digest(utterances),
        evaluated=tested.evaluated or tested.name,
        whole=tuple(each for part in parts for each in part.whole or (part,)),
        incomplete=tuple(line for part in parts for line in part.incomplete),
        made=(
            *dict.fromkeys(line for part in parts for line in part.made),
            f"Trained on {_sizes(training)}; tested on {_sizes([tested])}.",
        ),
    )


def joined_id(corpus: str, utterance: str) -> str:
    """Id of an utterance of one corpus in a table of several corpora."""
    return f"{corpus}/{utterance}"


def _named(part: CorpusTable, utterance: Utterance, side: str, sessions: bool) -> Utterance:
    def own(name: str | None) -> str | None:
        return None if name is None else f"{part.name}/{name}"

    unit = own(part.unit_of(utterance)) if sessions else own(utterance.session)
    return replace(
        utterance,
        id=joined_id(part.name, utterance.id),
        speaker=f"{part.name}/{utterance.speaker}",
        session=unit,
        text=own(utterance.text),
        official=side,
    )


def _without_counts(card: CorpusCard) -> CorpusCard:
    return replace(card, utterances=None, per_label={}, per_speaker={})


def _classes_line(table: CorpusTable, map_name: str, classes: Mapping[str, str]) -> str:
    """Description of how a corpus's labels were mapped, in one sentence."""
    counts = Counter(utterance.label for utterance in table.utterances)
    of: dict[str, list[str]] = {}
    for label in table.labels:
        if label in classes and counts[label]:
            of.setdefault(classes[label], []).append(label)
    kept = ", ".join(
        name if labels == [name] else f"{name} ({' + '.join(labels)})"
        for name, labels in sorted(of.items())
    )
    gone = {label: counts[label] for label in table.labels if label not in classes}
    left_out = ", ".join(f"{count} of {label}" for label, count in gone.items() if count)
    said = f"{table.name} by the label map {map_name}: {kept}"
    return f"{said}; left out: {left_out}." if left_out else f"{said}."


def _sizes(parts: Iterable[CorpusTable]) -> str:
    return ", ".join(
        f"{part.name} ({len(part.utterances)} utterances of "
        f"{len({utterance.speaker for utterance in part.utterances})} speakers)"
        for part in parts
    )
