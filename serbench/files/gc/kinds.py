"""Determines the entry that a cache file belongs to, from its folder and name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from serbench.files.cache_kinds import FOLDERS, CacheKind
from serbench.files.cache_use import USERS

KINDS = {
    "temporaries": "half-written files of stopped commands",
    "fits": "trained students and their predictions",
    "soft-targets": "teachers' heads and their outputs for training utterances",
    "pretraining": "weights that students start from",
    "checkpoints": "stopped fits and pretrainings",
    "embeddings": "of teachers",
    "features": "frames of front ends",
    "audio": "length and digest of audio files",
    "near": "fingerprints and near-duplicates",
    "replays": "predictions of stored students",
    "robustness": "predictions in noise and rooms",
    "prune": "pruned students",
    "models": "students as files for backends",
    "converted": "the same, converted by backends",
    "posteriors": "outputs of backends",
    "repeats": "notes of finished runs, for quick repeats",
    "downloads": "archives of corpora, complete or partial",
    "corpora": "downloaded or synthesised corpora",
}
"""All kinds with descriptions."""

NAMED_ONLY = frozenset({"downloads", "corpora"})
"""Kinds that are removed only if the user names them."""


@dataclass(frozen=True, slots=True)
class Place:
    """The entry that a file belongs to.

    Attributes:
        kind: one of ``KINDS``.
        path: path of the entry below the cache: the file itself, or the common part of several
            files.
        is_folder: whether the entry is a folder that is removed as a whole.
    """

    kind: str
    path: PurePosixPath
    is_folder: bool


HEX = "[0-9a-f]"
FIT = rf"(?P<shard>{HEX}{{2}})/(?P=shard){HEX}{{6,126}}\.safetensors"

FINGERPRINTS = rf"fingerprints/{HEX}{{32}}\.npz"
PAIRS = rf"pairs/{HEX}{{16,64}}\.json"

TEMPORARIES = (
    # Of write_atomically, anywhere; of backends; of corpora; of other modules.
    (r"(?:.+/)?\.[^/]+\.\d+-[0-9a-f]{8}\.tmp", False),
    (rf"deploy/(?:models|converted)/\.{HEX}{{64}}\.\d+(?:\.gc)?\.tmp", True),
    (r"(?:embeddings|corpora|downloads)/\.[^/]+\.\d+\.gc\.tmp", True),
    (r"corpora/\.[^/]+-[a-z0-9_]{8}", True),
    (rf"audio/(?:audio/)?{HEX}{{16}}\.json\.\d+\.tmp", False),
    (rf"users/\d+-{HEX}{{8}}\.lock", False),
)
"""Regular expressions of files, or of folders with everything in them."""

RESULTS: tuple[CacheKind, ...] = ("fits", "replays", "robustness", "prune", "posteriors")
"""Kinds of entries of ``FitCache``; ``fits`` includes soft targets and pretrained weights."""

FILE_ENTRIES = {
    **{kind: rf"{FOLDERS[kind]}/{FIT}" for kind in RESULTS},
    "checkpoints": rf"checkpoints/{HEX}{{64}}\.pt",
    "audio": rf"audio/(?:audio/)?{HEX}{{16}}\.json",
    "repeats": rf"repeats/{HEX}{{24}}\.json",
    "near": rf"near/(?:near/)?{HEX}{{16}}/(?:{FINGERPRINTS}|{PAIRS})",
}
"""Regular expressions of entries that are one file."""

EMBEDDED = r"(?:frames\.f16|pooled\.f32|index\.jsonl|complete\.json)"

FOLDER_ENTRIES = {
    "embeddings": (rf"embeddings/[^/.][^/]*-{HEX}{{32}}", EMBEDDED),
    "models": (rf"deploy/models/{HEX}{{64}}", ".+"),
    "converted": (rf"deploy/converted/{HEX}{{64}}", ".+"),
    "downloads": (r"downloads/[^/.][^/]*", ".+"),
    "corpora": (r"corpora/[^/.][^/]*", ".+"),
}
"""Regular expressions of entries that are folders, and of their known files."""

FEATURES = rf"(?P<pair>features/{HEX}{{24}})\.(?:(?:values|counts)\.npy|(?:values|blocks)\.part)"
"""Regular expression of pairs of files that are one entry; ``.part`` files are unfinished."""

LOCKS = (
    rf"(?:embeddings/[^/.][^/]*-{HEX}{{32}}|features/{HEX}{{24}}|corpora/[^/.][^/]*-{HEX}{{8}}"
    rf"|deploy/(?:models|converted)/{HEX}{{64}}|{USERS}/gate)\.lock"
)
"""Regular expression of locks: empty files, never removed, as a process may be waiting for one."""

TOPS = frozenset({*(folder.partition("/")[0] for folder in FOLDERS.values()), USERS})
"""Folders of the cache that serbench writes into."""


def place_of(path: str) -> Place | None:
    """The entry of a file, by its path below the cache, with slashes; None: unknown."""
    if path.partition("/")[0] not in TOPS:
        return None
    for pattern, is_folder in TEMPORARIES:
        found = _inside(pattern, ".+", path) if is_folder else _whole(pattern, path)
        if found:
            return Place("temporaries", PurePosixPath(found), is_folder)
    if pair := re.fullmatch(FEATURES, path):
        return Place("features", PurePosixPath(pair["pair"]), False)
    for kind, pattern in FILE_ENTRIES.items():
        if found := _whole(pattern, path):
            return Place(kind, PurePosixPath(found), False)
    for kind, (pattern, known) in FOLDER_ENTRIES.items():
        if found := _inside(pattern, known, path):
            return Place(kind, PurePosixPath(found), True)
    return None


def is_lock(path: str) -> bool:
    """Whether a file is a lock that is never removed."""
    return re.fullmatch(LOCKS, path) is not None


def _whole(pattern: str, path: str) -> str | None:
    return path if re.fullmatch(pattern, path) else None


def _inside(folder: str, known: str, path: str) -> str | None:
    """Path of the folder if ``path`` is one of its known files; else None."""
    found = re.fullmatch(rf"({folder})/{known}", path)
    return found[1] if found else None
