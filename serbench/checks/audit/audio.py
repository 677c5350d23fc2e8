"""The audio of other people's splits: its files, digests and near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serbench.api import Advance, SplitError, audio_below
from serbench.checks.audit.checks import AuditedAudio
from serbench.checks.audit.rows import AuditRow
from serbench.checks.finding import Progress
from serbench.data.corpus.load import read_each, unusable
from serbench.errors import listed
from serbench.files.paths import is_file
from serbench.protocol.guard.near.search import near_duplicates
from serbench_runtime.audio.read import read_audio

NO_AUDIO = "no audio; give --data-dir, or paths of existing files"


@dataclass(frozen=True, slots=True)
class AuditedRecording:
    """One audio file that was read, in the form that the search for near-duplicates needs."""

    id: str
    path: Path
    pcm_sha256: str


def find_audio(
    rows: Iterable[AuditRow],
    source: Path,
    data_dir: Path | None,
    files: Mapping[str, Path] | None,
) -> dict[str, Path]:
    """Find the audio file of each utterance that has one.

    It is searched in this order: ``files`` (a corpus's own); the row's path as it is; the path
    below ``data_dir``, with leading folders removed one by one; the path below the split file's
    folder; a file of ``data_dir`` whose stem is unique.

    Raises:
        SplitError: ``data_dir`` is not a folder.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise SplitError(f"--data-dir {data_dir} is not a folder")
    beside = source if source.is_dir() else source.parent
    stems = _unique_stems(data_dir) if data_dir is not None and files is None else {}
    found: dict[str, Path] = {}
    for row in rows:
        if row.utterance in found:
            continue
        path = (files or {}).get(row.utterance) or _by_path(row.path, data_dir, beside)
        path = path or stems.get(Path(row.path or row.utterance).stem)
        if path is not None:
            found[row.utterance] = path.absolute()
    return found


def read_recordings(paths: Mapping[str, Path], advance: Advance) -> tuple[AuditedRecording, ...]:
    """Read every file once, in threads; in the order of ``paths``.

    Raises:
        CorpusError: files cannot be read; one message lists them.
    """
    files = {str(path): path for path in sorted(set(paths.values()))}
    digests, problems = read_each(files, _digest, advance)
    if problems:
        raise unusable("the audit", problems, len(files))
    return tuple(AuditedRecording(name, path, digests[str(path)]) for name, path in paths.items())


def audio_facts(
    rows: Sequence[AuditRow], paths: Mapping[str, Path], cache: Path, progress: Progress
) -> AuditedAudio:
    """Digests and near-duplicates of all utterances that have audio."""
    names = {row.utterance for row in rows}
    if not paths:
        return AuditedAudio({}, (), NO_AUDIO)
    recordings = read_recordings(paths, partial(progress, "audio"))
    digests = {recording.id: recording.pcm_sha256 for recording in recordings}
    pairs = near_duplicates(recordings, cache, partial(progress, "near-duplicates"))
    absent = sorted(names - paths.keys())
    missing = f"the audio of {len(absent)} of {len(names)} utterances was not found: "
    return AuditedAudio(digests, pairs, missing + listed(absent) if absent else "")


def _digest(path: Path) -> str:
    return read_audio(path).pcm_sha256


def _by_path(path: str | None, data_dir: Path | None, beside: Path) -> Path | None:
    if path is None:
        return None
    given = Path(path)
    candidates = [given, beside / given]
    if data_dir is not None:
        parts = given.parts[1:] if given.is_absolute() else given.parts
        candidates += [data_dir.joinpath(*parts[start:]) for start in range(len(parts))]
    return next((each for each in candidates if is_file(each)), None)


def _unique_stems(folder: Path) -> dict[str, Path]:
    """Audio files below ``folder`` by stem, if the stem is unique."""
    by_stem: dict[str, list[Path]] = {}
    for path in audio_below(folder).paths:
        by_stem.setdefault(path.stem, []).append(path)
    return {stem: paths[0] for stem, paths in by_stem.items() if len(paths) == 1}
