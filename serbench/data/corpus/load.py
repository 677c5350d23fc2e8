"""Makes a checked table from a folder of files: every file is read once, its digest is cached."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import soxr

from serbench.api.corpus import Advance, Corpus, UtteranceRecord
from serbench.data.corpus.check import (
    SHOWN,
    Unusable,
    count_differences,
    expected,
    listing,
    lost_files,
    missing_files,
    problem_lines,
    scan,
)
from serbench.data.corpus.subset import Subset
from serbench.data.corpus.table import AudioFile, CorpusTable, make_utterance, table_digest
from serbench.errors import CorpusError, StoreError, listed
from serbench.files.cache_kinds import kind_folder
from serbench.files.digests import name_digest
from serbench.files.kept import kept_bytes, read_kept, write_kept
from serbench.files.threads import in_threads
from serbench_runtime.audio.folders import why_unreadable
from serbench_runtime.audio.read import read_audio

log = logging.getLogger(__name__)

T = TypeVar("T")

READER = f"2, soxr {soxr.__version__}"
"""Version of reader and resampler; facts from another version are read again."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """Facts about a file's audio for the table; ``size`` and ``mtime_ns`` show whether a file has
    changed.
    """

    size: int
    mtime_ns: int
    duration_s: float
    sample_rate_hz: int
    channels: int
    pcm_sha256: str


def load_corpus(
    corpus: Corpus,
    name: str,
    folder: Path,
    cache: Path,
    advance: Advance,
    allow_incomplete: bool = False,
    subset: Subset | None = None,
    labels: Collection[str] = (),
) -> CorpusTable:
    """Scan ``folder``, compare its counts with the card, read every file once.

    Digests are cached below ``cache`` by path, size and modification time, so that a second load
    opens no audio file. ``advance`` counts utterances.

    Args:
        corpus: the plugin.
        name: the dataset's name, for the table and for messages.
        folder: the corpus's folder, see ``locate``.
        cache: root of the cache.
        advance: called for every file that was read.
        allow_incomplete: continue without missing utterances and without files that cannot be read;
            the table says which (``CorpusTable.incomplete``). Surplus ones are always an error.
        subset: how much of the corpus is used; other files are not read. None: the whole corpus.
        labels: labels of the utterances that a subset is chosen from; empty: the card's.

    Raises:
        CorpusError: the folder is wrong, counts differ from the card's (all of them in one
            message), ids occur twice, or files cannot be read (all of them in one message).
    """
    records = scan(corpus, name, folder)
    missing = _check_counts(corpus, name, folder, records, allow_incomplete)
    whole = len(records)
    if subset is not None:
        records = subset.choose(records, labels or corpus.card.labels)
    facts, problems = try_facts(folder, records, cache, advance, whole=subset is None)
    if problems and (not allow_incomplete or not facts):
        raise unusable(name, problems, len(records))
    utterances = tuple(make_utterance(r, facts[r.id]) for r in records if r.id in facts)
    # File names come first: they show labels and speakers, and long lists are cut at the end.
    unreadable = f"audio that cannot be used, left out ({len(problems)}): {listed(problems, SHOWN)}"
    lines = ([unreadable] if problems else []) + list(missing)
    incomplete = tuple(f"{name}: {line}" for line in lines)
    if incomplete:
        found = listing([*problem_lines(problems.values()), *missing])
        log.warning("%s in %s is incomplete:\n%s", name, folder, found)
    digest = table_digest(utterances)
    table = CorpusTable(name, corpus.card, folder, utterances, digest, incomplete)
    return table if subset is None else subset.marked(table, whole)


def _check_counts(
    corpus: Corpus,
    name: str,
    folder: Path,
    records: Sequence[UtteranceRecord],
    allow_incomplete: bool,
) -> tuple[str, ...]:
    """Descriptions of missing utterances, if they are allowed to be missing."""
    differences = count_differences(corpus.card, records)
    missing = differences.missing
    if missing:
        missing = (*missing_files(corpus, records), *missing)
    missing = (*lost_files(corpus, name, folder), *missing)
    if differences.surplus or (missing and not allow_incomplete):
        raise CorpusError(
            f"{name} in {folder} differs from its "
            f"card:\n{listing((*missing, *differences.surplus))}\n{expected(corpus)}. Download it "
            f"again from {corpus.card.home}"
        )
    return missing


def unusable(name: str, problems: Mapping[str, Unusable], total: int) -> CorpusError:
    """The error that lists files that cannot be used."""
    return CorpusError(
        f"{name}: {len(problems)} of {total} audio files cannot be used; replace them with "
        f"good copies:\n{listing(problem_lines(problems.values()))}"
    )


def read_facts(
    name: str, folder: Path, records: Sequence[AudioFile], cache: Path, advance: Advance
) -> list[AudioFacts]:
    """Facts of every record in order, from the cache if the file has not changed.

    Raises:
        CorpusError: files cannot be used; the message lists all of them.
    """
    facts, problems = try_facts(folder, records, cache, advance)
    if problems:
        raise unusable(name, problems, len(records))
    return [facts[record.id] for record in records]


def try_facts(
    folder: Path,
    records: Sequence[AudioFile],
    cache: Path,
    advance: Advance,
    *,
    whole: bool = True,
) -> tuple[dict[str, AudioFacts], dict[str, Unusable]]:
    """Facts of the files that can be used, and the faults of the others; both by id.

    If reading is stopped, the facts so far are saved. ``whole``: these are all files of the folder,
    so that facts of other files are dropped.

    Raises:
        StoreError: the cache cannot be written.
    """
    cache_file = _cache_file(cache, folder)
    known = read_kept(cache_file, _read_cache, "what was read of audio files,") or {}
    paths = {record.id: record.path for record in records}
    begun = dict(known)

    def read(path: Path) -> AudioFacts:
        begun[str(path)] = fact = _facts(path, known.get(str(path)))
        return fact

    try:
        facts, problems = read_each(paths, read, advance)
    except BaseException:
        with suppress(StoreError):  # only the reason for stopping is reported
            _write_cache(cache_file, dict(begun))
        raise
    current = {str(paths[name]): fact for name, fact in facts.items()}
    current = current if whole else known | current
    if current != known:
        _write_cache(cache_file, current)
    return facts, problems


def read_each(
    paths: Mapping[str, Path], read: Callable[[Path], T], advance: Advance
) -> tuple[dict[str, T], dict[str, Unusable]]:
    """Read all files in threads, even if some cannot be used; an interrupt stops it.

    Args:
        paths: paths by id.
        read: reads the file of a path; it raises ``CorpusError`` if the file cannot be used.
        advance: called after every file.

    Returns:
        Results of ``read``, and the faults of the other files, both by id in the order of
        ``paths``.
    """
    found: dict[str, T] = {}
    problems = {
        name: Unusable(path, "no file can have this name")
        for name, path in paths.items()
        if not _possible(path)
    }

    def tried(name: str) -> T | Unusable:
        try:
            return read(paths[name])
        except CorpusError as error:
            return Unusable(paths[name], str(error).removeprefix(f"{paths[name]}: "))

    names = [name for name in paths if name not in problems]
    results = zip(names, in_threads(tried, names), strict=True)
    for done, (name, result) in enumerate(results, start=1):
        if isinstance(result, Unusable):
            problems[name] = result
        else:
            found[name] = result
        advance(done, len(paths))
    return found, {name: problems[name] for name in paths if name in problems}


def _possible(path: Path) -> bool:
    """Whether a file can have that name: a corpus's table may have names that no system allows."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _facts(path: Path, known: AudioFacts | None) -> AudioFacts:
    try:
        status = path.stat()
    except OSError as error:
        raise CorpusError(f"{path}: {why_unreadable(path, error)}") from error
    if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return known
    audio = read_audio(path)
    return AudioFacts(
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        duration_s=audio.duration_s,
        sample_rate_hz=audio.sample_rate_hz,
        channels=audio.channels,
        pcm_sha256=audio.pcm_sha256,
    )


def _cache_file(cache: Path, folder: Path) -> Path:
    key = name_digest(f"{READER} {folder.absolute()}", 16)
    return kind_folder(cache, "audio") / f"{key}.json"


def _read_cache(path: Path) -> dict[str, AudioFacts]:
    """Facts from earlier loads, by path."""
    files = json.loads(kept_bytes(path))["files"]
    return {name: AudioFacts(**facts) for name, facts in files.items()}


def _write_cache(path: Path, files: dict[str, AudioFacts]) -> None:
    content = {"files": {name: asdict(facts) for name, facts in files.items()}}
    write_kept(path, json.dumps(content).encode())
