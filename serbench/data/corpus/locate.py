"""Finds a corpus's folder: the user names it, or it is in the cache, downloaded or made there."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from serbench.api.corpus import Advance, Corpus
from serbench.api.offline import is_offline
from serbench.data.corpus.archive import unpack
from serbench.data.corpus.check import count_differences, expected, listing, scan
from serbench.data.corpus.download import fetch
from serbench.errors import CorpusError
from serbench.files.cache_kinds import kind_folder
from serbench.files.digests import name_digest
from serbench.files.kept import check_folder, keep_folder, making, read_kept
from serbench.files.paths import inside

DATA_VARIABLE = "SERBENCH_DATA"
"""Environment variable: a folder with one folder per dataset, by name."""
OLD_RECIPE = ".serbench-recipe.json"
"""File in a corpus that an older version of serbench has synthesised. Its folder has the same name
as a folder that a user has put there.
"""

Announce = Callable[[str], None]
"""``announce(sentence)``: tells the user, for instance, that a long step begins."""


def locate(
    corpus: Corpus,
    name: str,
    data_dir: Path | None,
    cache: Path,
    advance: Advance,
    announce: Announce,
    path: Path | None = None,
) -> Path:
    """The corpus's folder: the first of the following that exists.

    1. ``data_dir`` (``--data-dir``).
    2. ``$SERBENCH_DATA/<name>``.
    3. ``path``, the dataset's own path from the registry.
    4. ``<cache>/corpora/<name>``, which a user has put there.
    5. A folder in ``<cache>/corpora/`` with the dataset's name and the digest of its recipe.

    The last one is downloaded or synthesised on first use, by one process at a time: in a temporary
    folder next to it, which is compared with the card and then renamed. It is made again if a file
    in it is damaged.

    Raises:
        CorpusError: a named folder does not exist, or the corpus can neither be downloaded nor
            made; the message says what to do.
        StoreError: the cache cannot be written.
    """
    if data_dir is not None:
        return _named_folder(corpus, name, data_dir, "--data-dir")
    if from_variable := _below_variable(name, announce):
        return from_variable
    if path is not None:
        return _named_folder(corpus, name, path, f"the path of dataset {name} in the registry")
    root = kind_folder(cache.absolute(), "corpora")
    by_hand = inside(root, name, what="dataset", error=CorpusError)
    if by_hand.is_dir() and not (by_hand / OLD_RECIPE).exists():
        return by_hand
    folder = root / f"{name}-{name_digest(_recipe(corpus), 8)}"
    if not _whole(folder):
        if is_offline():
            raise CorpusError(
                f"{name}, as the run's plan describes it, is not on this machine, and a command "
                f"that reads a run folder downloads nothing. `serbench folds {name}` downloads or "
                "makes the registry's version; or give the run's own folder with --data-dir DIR"
            )
        with making(folder):
            if not _whole(folder):  # another process may have made it meanwhile
                _make(corpus, name, folder, cache, advance, announce)
    return folder


def folders_here(name: str, cache: Path, path: Path | None = None) -> list[Path]:
    """Folders on this machine that ``locate`` may take, in its order.

    Nothing is made, downloaded or opened.

    Args:
        name: the dataset's name.
        cache: the cache folder.
        path: the dataset's own path, from the registry.
    """
    value = os.environ.get(DATA_VARIABLE)
    root = kind_folder(cache.absolute(), "corpora")
    made = sorted(root.glob(f"{glob.escape(name)}-" + "[0-9a-f]" * 8))
    named = [Path(value).expanduser().absolute() / name] if value else []
    named += [path] if path is not None else []
    return [each for each in (*named, root / name, *made) if each.is_dir()]


def _whole(folder: Path) -> bool:
    """Whether a corpus was made in ``folder`` and is undamaged."""
    return read_kept(folder, check_folder, "the corpus in") is not None


def _make(
    corpus: Corpus, name: str, folder: Path, cache: Path, advance: Advance, announce: Announce
) -> None:
    try:
        if corpus.sources():
            _download(corpus, name, folder, cache, advance, announce)
        else:
            _build(corpus, name, folder, advance, announce)
    except OSError as error:
        raise CorpusError(
            f"{name}: cannot write to the cache {folder.parent} ({error.strerror}); free some "
            "space, choose another cache folder, or give a local copy with --data-dir DIR"
        ) from error


def _named_folder(corpus: Corpus, name: str, folder: Path, origin: str) -> Path:
    # A plugin's paths may start with the folder that it is given, so the folder must be absolute.
    folder = folder.expanduser().absolute()
    if folder.is_dir():
        return folder
    what = "is a file, not a folder" if folder.exists() else "does not exist"
    raise CorpusError(f"{name}: {folder} ({origin}) {what}. {expected(corpus)}")


def _below_variable(name: str, announce: Announce) -> Path | None:
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    root = Path(value).expanduser().absolute()
    if not root.is_dir():
        raise CorpusError(
            f"{DATA_VARIABLE}={value} is not a folder; set it to a folder with one subfolder for "
            "each dataset, or unset it"
        )
    folder = inside(root, name, what="dataset", error=CorpusError)
    if folder.is_dir():
        return folder
    announce(f"{name} is not in {DATA_VARIABLE} ({root})")
    return None


def _download(
    corpus: Corpus, name: str, folder: Path, cache: Path, advance: Advance, announce: Announce
) -> None:
    """Download all sources, unpack them into a new folder, compare it with the card, rename it."""
    downloads = kind_folder(cache, "downloads") / folder.name
    with _beside(folder) as new:
        for source in corpus.sources():
            announce(f"downloading {name} from {source.url}")
            try:
                file = fetch(source, downloads, advance)
                if source.unpack:
                    announce(f"unpacking {source.file_name}")
                    _unpack_or_discard(file, new, advance)
                else:
                    shutil.copyfile(
                        file, inside(new, source.file_name, what="file", error=CorpusError)
                    )
            except CorpusError as error:
                raise CorpusError(
                    f"{name} cannot be downloaded from {source.url}: {error}.\n"
                    f"{ways_out(corpus, name, folder)}"
                ) from error
        try:
            _check_download(corpus, name, new)
        except CorpusError as error:
            shutil.rmtree(downloads, ignore_errors=True)
            raise CorpusError(
                f"the download of {name} does not match its "
                f"card:\n{error}\n{ways_out(corpus, name, folder)}"
            ) from error
        keep_folder(new, folder)
    shutil.rmtree(downloads, ignore_errors=True)


def _unpack_or_discard(file: Path, folder: Path, advance: Advance) -> None:
    """Unpack; a file that cannot be unpacked is deleted, so that it is downloaded again."""
    try:
        unpack(file, folder, advance)
    except CorpusError:
        file.unlink(missing_ok=True)
        raise


def _check_download(corpus: Corpus, name: str, folder: Path) -> None:
    differences = count_differences(corpus.card, scan(corpus, name, folder))
    problems = (*differences.missing, *differences.surplus)
    if problems:
        raise CorpusError(f"{listing(problems)}\n{expected(corpus)}")


def ways_out(corpus: Corpus, name: str, folder: Path) -> str:
    """Advice for a user without a network, or if the server does not answer."""
    urls = " and ".join(source.url for source in corpus.sources())
    return (
        f"Either give a local copy with --data-dir DIR ({corpus.card.layout}), or download {urls} "
        f"by hand and unpack it into {folder.absolute().parent / name}, where serbench finds it"
    )


def _build(corpus: Corpus, name: str, folder: Path, advance: Advance, announce: Announce) -> None:
    with _beside(folder) as new:
        if type(corpus).build is not Corpus.build:
            announce(f"making {name} in {folder}")
        if not corpus.build(new, advance):
            raise CorpusError(
                f"{name} cannot be downloaded automatically: get it from {corpus.card.home} "
                f"({corpus.card.licence}) and give its folder with --data-dir DIR. "
                f"{expected(corpus)}"
            )
        keep_folder(new, folder)


def _recipe(corpus: Corpus) -> str:
    """Description of what a corpus is made from.

    For a corpus that is downloaded: its sources. For a corpus that is synthesised: its parameters
    and its title, which contains the version of the synthesis.
    """
    if sources := corpus.sources():
        return json.dumps([corpus.name, *(asdict(source) for source in sources)])
    params = corpus.params.model_dump(mode="json")
    recipe = {"corpus": corpus.name, "title": corpus.card.title, "params": params}
    return json.dumps(recipe, sort_keys=True)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder next to ``folder``; it is removed afterwards unless it was renamed.

    Folders of killed processes are removed, too: only one process at a time makes ``folder``.
    """
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*"):
        shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    new.chmod(0o755)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)
