"""A folder of audio without labels, names or speakers, for label-free distillation."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from serbench.api.corpus import Advance
from serbench.data.corpus.load import read_facts
from serbench.errors import CorpusError, listed, visible
from serbench_runtime.audio.folders import audio_below

log = logging.getLogger(__name__)

PREFIX = "unlabelled/"
"""Beginning of all ids, so that no id can be confused with that of a corpus's utterance."""


@dataclass(frozen=True, slots=True)
class UnlabelledRecording:
    """One audio file; see ``Recording``. Its id is ``PREFIX`` and its path within the folder."""

    id: str
    path: Path
    duration_s: float
    pcm_sha256: str


@dataclass(frozen=True)
class UnlabelledAudio:
    """All audio files below a folder; see ``Speech``.

    Attributes:
        folder: the folder that was searched.
        utterances: sorted by id.
        digest: sha256 over ids (paths within the folder) and PCM digests.
    """

    folder: Path
    utterances: tuple[UnlabelledRecording, ...]
    digest: str

    @property
    def duration_s(self) -> float:
        """Total duration of all recordings, in seconds."""
        return sum(recording.duration_s for recording in self.utterances)


@dataclass(frozen=True, slots=True)
class _File:
    id: str
    path: Path


def load_unlabelled(folder: Path, cache: Path, advance: Advance) -> UnlabelledAudio:
    """Read every audio file below ``folder`` once; facts are cached like those of a corpus.

    Args:
        folder: folder to search, see ``audio_below``; a warning reports what is left out.
        cache: root of the cache.
        advance: called for every file that was read.

    Raises:
        CorpusError: the folder does not exist or has no audio, or files cannot be read (all of them
            in one message).
    """
    if not folder.is_dir():
        raise CorpusError(
            f"the folder of unlabelled audio does not exist: {folder}; give an existing folder"
        )
    try:
        found = audio_below(folder)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be listed ({error.strerror})") from error
    if not found.names:
        raise CorpusError(f"{folder}: {found.none}; give a folder of speech recordings")
    if found.left_out:
        log.warning("%s: left out: %s", folder, listed(map(str, found.left_out)))
    files = [
        _File(PREFIX + visible(name), path.absolute())
        for name, path in zip(found.names, found.paths, strict=True)
    ]
    files.sort(key=lambda file: file.id)
    facts = read_facts("unlabelled audio", folder, files, cache, advance)
    recordings = tuple(
        UnlabelledRecording(file.id, file.path, fact.duration_s, fact.pcm_sha256)
        for file, fact in zip(files, facts, strict=True)
    )
    rows = [[recording.id, recording.pcm_sha256] for recording in recordings]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return UnlabelledAudio(folder, recordings, digest)
