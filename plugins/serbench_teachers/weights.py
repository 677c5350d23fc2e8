"""Finds a pretrained encoder's files, and computes their digest."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import huggingface_hub

from serbench.api import TeacherError, is_offline, read_json, stands_in

_LOG = logging.getLogger(__name__)

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_FIRST_PATTERNS = [
    *(CONFIG, PREPROCESSOR),
    *("model.safetensors", "model-*.safetensors", "model.safetensors.index.json"),
]
_TORCH_PATTERNS = ["pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"]
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a config, a preprocessor's config and weights.

    Attributes:
        folder: the folder of the files.
        digest: digest of the files' content for a local folder; the commit for a hub's snapshot.
    """

    folder: Path
    digest: str


def find_checkpoint(model: str) -> Checkpoint:
    """The files of ``model``: a local folder, else a hub id, downloaded on first use.

    Raises:
        TeacherError: the folder or hub id does not exist, there is no network, or
            files are missing.
    """
    folder = _local_folder(model)
    if folder is not None:
        return Checkpoint(folder, f"files:{_digest(folder)}")
    snapshot = _cached_snapshot(model) or _download(model, _fetch_files)
    weight_files(snapshot)
    return Checkpoint(snapshot, f"commit:{snapshot.name}")


def find_config(model: str) -> Path:
    """The folder of a model's config; for a model of the hub, this downloads no weights.

    Raises:
        TeacherError: the folder or hub id does not exist, or there is no network.
    """
    folder = _local_folder(model) or _cached_config(model)
    return folder or _download(model, _fetch_config)


def _local_folder(model: str) -> Path | None:
    """The local folder; None: ``model`` is written like a hub id, and no such folder exists.

    Raises:
        TeacherError: ``model`` is neither a folder nor a hub id.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise TeacherError(f"the teacher {model} is a file; give the folder that contains {CONFIG}")
    if not _HUB_ID.fullmatch(model):
        raise TeacherError(f"the teacher's folder {model} does not exist")
    return None


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The weight files of ``folder``, safetensors before torch's own format.

    Raises:
        TeacherError: the config, the weights or a shard is missing, or there are pointers instead
            of files.
    """
    for needed in (CONFIG, PREPROCESSOR):
        if not (folder / needed).is_file():
            raise TeacherError(
                f"{folder} is not a speech encoder: it has no {needed}; copy the whole model folder"
            )
    _real(folder / CONFIG, folder / PREPROCESSOR)
    for single in _SINGLE:
        if (folder / single).is_file():
            return _real(folder / single)
        index = folder / f"{single}.index.json"
        if index.is_file():
            return _real(*_shards(*_real(index)))
    raise TeacherError(
        f"{folder} has no weights: {' or '.join(_SINGLE)} (or their shards) is missing; "
        "TensorFlow and Flax weights are not read"
    )


def _real(*files: Path) -> tuple[Path, ...]:
    """
    Raises:
        TeacherError: one of the files is a pointer or a web page.
    """
    for path in files:
        if what := stands_in(path):
            raise TeacherError(f"{path}: {what}")
    return files


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        named = read_json(index.read_bytes())["weight_map"].values()  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType]
        names = sorted({str(name) for name in named})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TeacherError(f"{index} is damaged: copy or download it again") from error
    if strange := [name for name in names if PurePath(name).name != name or "\\" in name]:
        raise TeacherError(
            f"{index} names weights outside its folder ({strange[0]!r}); do not use this model, "
            "or download it again from a source that you trust"
        )
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise TeacherError(
            f"{missing[0]} is missing from {index.parent}: copy or download it again"
        )
    return tuple(index.parent / name for name in names)


def _digest(folder: Path) -> str:
    """sha256 (hex) of names and contents of all files that the embeddings depend on."""
    whole = hashlib.sha256()
    for path in (folder / CONFIG, folder / PREPROCESSOR, *weight_files(folder)):
        with path.open("rb") as file:
            whole.update(
                f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
            )
    return whole.hexdigest()


def _cached_snapshot(model: str) -> Path | None:
    """A complete snapshot that an earlier run has downloaded."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        # With these patterns, the client does not miss files that were never downloaded.
        snapshot = huggingface_hub.snapshot_download(
            model, allow_patterns=_FIRST_PATTERNS, local_files_only=True
        )
        weight_files(Path(snapshot))
    except (LocalEntryNotFoundError, TeacherError, ValueError):
        return None
    return Path(snapshot)


def _cached_config(model: str) -> Path | None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot = huggingface_hub.snapshot_download(
            model, allow_patterns=[CONFIG, PREPROCESSOR], local_files_only=True
        )
    except (LocalEntryNotFoundError, ValueError):
        return None
    return Path(snapshot) if (Path(snapshot) / CONFIG).is_file() else None


def _download(model: str, fetch: Callable[[str], Path]) -> Path:
    """The result of ``fetch``; if that fails, an error that says what to do."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    from huggingface_hub.utils import are_progress_bars_disabled
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    if is_offline():
        raise TeacherError(
            f"the weights of {model} are not on this machine, and a command that reads a run "
            "folder downloads nothing; download them with `hf download`, or give a folder with "
            "them in serbench.toml"
        )
    _LOG.info("downloading the teacher %s", model)
    shown = not are_progress_bars_disabled()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return fetch(model)
    except GatedRepoError as error:
        raise TeacherError(
            f"the teacher {model} requires you to accept its licence: accept it on its page, log "
            "in with `hf auth login`, and run the same command again"
        ) from error
    except RepositoryNotFoundError as error:
        raise TeacherError(
            f"the model hub has no {model}, or you have no access to it, and no folder has that "
            "name; check the spelling, or log in with `hf auth login` if the model is private"
        ) from error
    except Exception as error:  # the hub's HTTP client can raise any error on a broken connection
        raise TeacherError(_unreachable(model, error)) from error
    finally:
        if shown:
            enable_progress_bars()


def _fetch_config(model: str) -> Path:
    return Path(huggingface_hub.snapshot_download(model, allow_patterns=[CONFIG, PREPROCESSOR]))


def _fetch_files(model: str) -> Path:
    """Download the smallest complete set of files, as safetensors if the model has them."""
    snapshot = Path(huggingface_hub.snapshot_download(model, allow_patterns=_FIRST_PATTERNS))
    held = [snapshot / "model.safetensors", snapshot / "model.safetensors.index.json"]
    if not any(path.is_file() for path in held):
        huggingface_hub.snapshot_download(
            model, revision=snapshot.name, allow_patterns=_TORCH_PATTERNS
        )
    return snapshot


def _unreachable(model: str, error: Exception) -> str:
    cause = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "no answer"
    return (
        f"the model {model} cannot be downloaded from the model hub ({cause}). If only the "
        "connection broke, run the same command again. Otherwise you need a local copy: run `hf "
        f"download {model} --local-dir FOLDER` on a machine with a network and copy FOLDER to "
        "this one. Give it with `--teacher FOLDER` if a teacher needs it, or with `--set "
        "methods.NAME.student.model=FOLDER` if the student of a method does"
    )
