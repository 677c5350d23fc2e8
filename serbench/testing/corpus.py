"""The contract of corpora."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import soundfile

from serbench.api import Corpus, CorpusCard, Source, UtteranceRecord
from serbench.data.corpus.derive import TEST, TRAIN, VALIDATION, is_split_in_sides
from serbench.errors import listed
from serbench.protocol.spelling import NOUNS, lonely, respelled
from serbench.testing.checks import Check, together
from serbench.testing.common import make, require, require_names

__tracebackhide__ = True


def corpus_checks(
    cls: type, folder: Path, params: Mapping[str, object] | None = None
) -> Iterator[Check]:
    """Checks of the contract of corpora.

    The card must be consistent. Every utterance needs a unique id, a speaker, a known label and a
    readable file. Counts and fold units must be those of the card, and two scans must be equal. The
    corpus's own split must cover all utterances or none. ``missing`` must not name existing files;
    for a lost file it names that file or nothing. ``read_name`` must agree with the scan, or return
    None. A synthetic corpus is built twice into ``folder``, if that is empty, and must come out the
    same.

    Args:
        cls: the plugin class.
        folder: a copy of the corpus, or a new or empty folder for a synthetic one.
        params: if its ``Params`` have no defaults, or to check other values.
    """
    corpus = cache(partial(make, cls, params))
    built = cache(lambda: _check_build(corpus(), folder))
    records = cache(lambda: _records(corpus(), built()))
    yield from corpus_card_checks(cls, params)
    yield Check("building", built)
    yield Check("scanning twice", lambda: _check_scan(corpus(), folder, records()))
    yield Check("utterances", lambda: _check_records(records(), corpus().card, folder))
    yield Check("counts", lambda: _check_counts(records(), corpus().card))
    yield Check("fold sets", lambda: _check_fold_sets(records(), corpus().card))
    yield Check("official split", lambda: _check_official(records()))
    yield Check("missing files", lambda: _check_missing(corpus(), records()))
    yield Check("names of files", lambda: _check_names(corpus(), records(), folder))


check_corpus = together(corpus_checks)
"""Run all ``corpus_checks`` and report every failure together in one ``AssertionError``."""


def corpus_card_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of corpora that need no audio: card and sources."""
    corpus = cache(partial(make, cls, params))
    yield Check("class and parameters", corpus)
    yield Check("card", lambda: _check_card(corpus()))
    yield Check("labels of the card", lambda: _check_labels(corpus().card))
    yield Check("fold sets of the card", lambda: _check_folds(corpus().card))
    yield Check("sources", lambda: [_check_source(each) for each in corpus().sources()])


check_corpus_card = together(corpus_card_checks)
"""Run all ``corpus_card_checks`` and report every failure together in one ``AssertionError``."""


def _check_card(corpus: Corpus) -> None:
    card = corpus.card
    require(isinstance(card, CorpusCard), f"card must be a CorpusCard, not {card!r}")
    for key in ("title", "language", "licence", "home", "citation", "elicitation"):
        require(getattr(card, key), f"the card's {key} is empty")
    for key in ("names", "made_of"):
        require_names(getattr(card, key), key)
    aliases = getattr(corpus, "aliases", ())
    require(
        isinstance(aliases, tuple) and all(isinstance(each, str) for each in aliases),
        f"aliases must be a tuple of names, not {aliases!r}",
    )
    for kind, names in card.different.items():
        require(
            kind in NOUNS, f"the card's different has {kind!r}; it may only have {', '.join(NOUNS)}"
        )
        require(
            not (alone := lonely(names)), f"different.{kind}: no other name is spelled like {alone}"
        )
    own = sorted({corpus.name, card.title, *card.names} & set(card.made_of))
    require(not own, f"the card's made_of names the corpus itself: {', '.join(own)}")


def _check_labels(card: CorpusCard) -> None:
    labels = card.labels
    require(len(labels) >= 2, f"the card must have at least two labels, not {labels}")
    require(len(set(labels)) == len(labels), f"the card's labels repeat: {labels}")
    require(
        not card.per_label or set(card.per_label) == set(labels),
        "the card's per_label must count every label and no other",
    )
    for key, counts in (("per_label", card.per_label), ("per_speaker", card.per_speaker)):
        require(
            not counts or card.utterances in {None, sum(counts.values())},
            f"the card's {key} adds up to {sum(counts.values())}, not {card.utterances}",
        )


def _check_folds(card: CorpusCard) -> None:
    for name, folds in card.fold_sets.items():
        units = [unit for fold in folds for unit in fold]
        require(len(folds) >= 2, f"the fold set {name!r} needs at least two folds")
        require(all(folds), f"the fold set {name!r} has an empty fold")
        require(len(set(units)) == len(units), f"the fold set {name!r} tests a unit twice")
        require(
            card.unit != "speaker" or not card.per_speaker or set(units) == set(card.per_speaker),
            f"the fold set {name!r} must test every speaker once",
        )


def _check_source(source: Source) -> None:
    require(
        urlsplit(source.url).scheme in {"http", "https"},
        f"a source's url must be http or https, not {source.url!r}",
    )
    name = source.file_name
    require(name and Path(name).name == name, f"a source's file_name must be plain, not {name!r}")
    require(
        source.checksum is None or source.checksum.partition(":")[0] in {"md5", "sha256"},
        f"a source's checksum must be 'md5:…' or 'sha256:…', not {source.checksum!r}",
    )


def _records(corpus: Corpus, folder: Path) -> list[UtteranceRecord]:
    found = sorted(corpus.utterances(folder), key=lambda record: record.id)
    require(found, f"no utterances in {folder}")
    return found


def _check_scan(corpus: Corpus, folder: Path, records: Sequence[UtteranceRecord]) -> None:
    require(_records(corpus, folder) == records, "two scans of the same folder differ")


def _check_build(corpus: Corpus, folder: Path) -> Path:
    """``folder``; a synthetic corpus is built into it if it is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return folder
    steps: list[tuple[int, int]] = []
    digests: list[str] = []
    for target in (folder, folder.with_name(f"{folder.name}-again")):
        target.mkdir(exist_ok=True)
        built = corpus.build(target, lambda done, total: steps.append((done, total)))
        require(built is True, f"{folder} is empty and the corpus is not synthetic: give a copy")
        digests.append(_tree_digest(target))
    require(digests[0] == digests[1], "building twice gives different files; seed every draw")
    require(
        steps and all(0 <= done <= total for done, total in steps),
        "build must call advance(done, total) with done from 0 to total",
    )
    return folder


def _tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _check_records(records: Sequence[UtteranceRecord], card: CorpusCard, folder: Path) -> None:
    repeated = [name for name, count in Counter(r.id for r in records).items() if count > 1]
    require(not repeated, f"utterance ids repeat: {', '.join(repeated[:5])}")
    twice = [f"{each.kind} {each}" for each in respelled(records, card.different)]
    require(not twice, f"one name in several spellings: {listed(twice)}")
    for record in records:
        require(record.id and record.speaker, f"{record.path} has no id or no speaker")
        require(
            record.label in card.labels,
            f"{record.id} is labelled {record.label!r}, which is not a label of the card",
        )
        require(
            card.unit != "session" or record.session,
            f"{record.id} has no session, but the card's folds group by session",
        )
        require(
            record.gender in {"female", "male", None},
            f"{record.id} has the gender {record.gender!r}; allowed are female, male and None",
        )
        path = folder / record.path
        require(path.is_file(), f"{record.id}: no file {path}")
        require(soundfile.info(path).frames > 0, f"{record.id}: {path} is empty")


def _check_counts(records: Sequence[UtteranceRecord], card: CorpusCard) -> None:
    require(
        card.utterances in {None, len(records)},
        f"the card declares {card.utterances} utterances, but the folder has {len(records)}",
    )
    for key, declared, found in (
        ("label", card.per_label, Counter(record.label for record in records)),
        ("speaker", card.per_speaker, Counter(record.speaker for record in records)),
    ):
        for name in sorted({*declared, *(found if declared else ())}):
            require(
                declared.get(name, 0) == found[name],
                f"the card declares {declared.get(name, 0)} utterances of {key} {name!r}, but "
                f"the folder has {found[name]}",
            )


def _check_fold_sets(records: Sequence[UtteranceRecord], card: CorpusCard) -> None:
    units = {record.session if card.unit == "session" else record.speaker for record in records}
    for name, folds in card.fold_sets.items():
        tested = {unit for fold in folds for unit in fold}
        require(
            tested == units,
            f"the fold set {name!r} must test every {card.unit}; the difference is "
            f"{sorted(map(str, tested ^ units))}",
        )


def _check_official(records: Sequence[UtteranceRecord]) -> None:
    """The corpus's own split must cover all utterances, as sides or as folds."""
    told = {record.official for record in records}
    require(
        len(told) == 1 or None not in told,
        "official must be given for all utterances or for none",
    )
    named = {name for name in told if name is not None}
    require(
        is_split_in_sides(named) or not named & {TRAIN, VALIDATION, TEST},
        f"official mixes sides and folds: {', '.join(sorted(map(str, told)))}",
    )


LOST = 5
"""Number of files that are removed, one at a time, to test ``missing``."""


def _check_missing(corpus: Corpus, records: Sequence[UtteranceRecord]) -> None:
    said = list(corpus.missing(records))
    require(not said, f"nothing is missing, but missing() names {', '.join(said[:5])}")
    for lost in records[:: max(1, len(records) // LOST)]:
        said = list(corpus.missing([record for record in records if record.id != lost.id]))
        require(
            said == [] or [Path(name).name for name in said] == [lost.path.name],
            f"without {lost.path.name}, missing() names {', '.join(said[:5])}",
        )


def _check_names(corpus: Corpus, records: Sequence[UtteranceRecord], folder: Path) -> None:
    """If names contain facts, they must agree with the scan for each file."""
    for record in records:
        path = (folder / record.path).absolute()
        if path.is_relative_to(folder.absolute()):
            path = path.relative_to(folder.absolute())
        for name in (path.as_posix(), f"some/where/{path.as_posix()}"):
            read = corpus.read_name(name)
            if read is None:
                continue
            require(
                isinstance(read, UtteranceRecord),
                f"read_name must return an UtteranceRecord or None, not {read!r:.200}",
            )
            told = [key for key in ("label", "session", "text") if getattr(read, key)]
            for key in ("id", "speaker", *told):
                require(
                    getattr(read, key) == getattr(record, key),
                    f"read_name({name!r}) gives the {key} {getattr(read, key)!r}, but "
                    f"utterances() gives {getattr(record, key)!r}",
                )
    for name in ("", "/", "..", "some/where/no-such-name.wav"):
        corpus.read_name(name)  # whatever stands in somebody's split file, nothing may be raised
