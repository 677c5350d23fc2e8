"""Downloads that can be continued, by range requests into a ``.part`` file; checked at the end."""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from serbench.api.corpus import Advance, Source
from serbench.data.corpus.space import check_space
from serbench.errors import CorpusError
from serbench.files.kept import DamageError, file_digest, kept_bytes, read_kept, write_kept
from serbench.files.paths import inside

ATTEMPTS = 3
"""Number of attempts without new data after which a download fails."""
PAUSE_S = 1.0
"""Pause before the second attempt; it doubles with each further one."""
TIMEOUT_S = 30.0
"""Longest silence of a server, in seconds."""
BLOCK_BYTES = 1 << 16

CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes that may be temporary."""


class _CutError(Exception):
    """The connection failed in a way that another attempt may solve."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An unfinished download, with the validator (ETag or date) of the complete file."""

    file: Path

    @property
    def validator_file(self) -> Path:
        return self.file.with_name(f"{self.file.name}.validator")

    def size_bytes(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def validator(self) -> str:
        path = self.validator_file
        return path.read_text(encoding="latin-1") if path.exists() else ""

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self.validator_file.unlink(missing_ok=True)


def fetch(source: Source, folder: Path, advance: Advance) -> Path:
    """Download ``source`` into ``folder`` and return the checked file.

    An interrupted download is continued. A complete file that was damaged later is downloaded
    again. ``advance`` counts bytes.

    Raises:
        CorpusError: no connection, an HTTP error, a wrong size or checksum, or a full disk.
        StoreError: the file's checksum cannot be saved.
    """
    if not source.url.startswith(("http://", "https://")):
        raise CorpusError(f"{source.url}: only http and https addresses can be downloaded")
    target = inside(folder, source.file_name, what="file", error=CorpusError)
    part = _Part(folder / f"{source.file_name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if read_kept(target, _check_noted, "the downloaded file") is None:
            _fetch_part(source, part, advance)
            _verify(source, part)
            write_kept(_note(target), file_digest(part.file).encode())
            part.file.replace(target)
            part.discard()
    except OSError as error:
        reason = "no room on disk" if error.errno == errno.ENOSPC else error.strerror
        raise CorpusError(f"{folder}: cannot be written ({reason})") from error
    return target


def _note(target: Path) -> Path:
    """The file with the checksum of a complete download."""
    return target.with_name(f"{target.name}.sha256")


def _check_noted(target: Path) -> Path:
    found = file_digest(target)
    try:
        due = kept_bytes(_note(target)).decode()
    except FileNotFoundError:
        raise DamageError("it has no checksum") from None
    if found != due:
        raise DamageError("its checksum is wrong")
    return target


def _fetch_part(source: Source, part: _Part, advance: Advance) -> None:
    """Make attempts until the part is complete."""
    fruitless = 0
    furthest = part.size_bytes()
    while True:
        try:
            _attempt(source, part, advance)
        except _CutError as error:
            fruitless = 0 if part.size_bytes() > furthest else fruitless + 1
            furthest = max(furthest, part.size_bytes())
            if fruitless >= ATTEMPTS:
                raise CorpusError(str(error)) from error
            time.sleep(PAUSE_S * 2 ** max(0, fruitless - 1))
        else:
            return


def _attempt(source: Source, part: _Part, advance: Advance) -> None:
    """Make one request, from where the part ends. Returns if the part is complete."""
    try:
        response = _open(source, part)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _settle_whole_part(part, error.headers.get("Content-Range", ""))
            return
        reason = f"the server answers {error.code} {error.reason}"
        raise (_CutError if error.code in PASSING else CorpusError)(reason) from error
    except urllib.error.URLError as error:
        raise _CutError(_reason(error.reason)) from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _CutError(_reason(error)) from error
    with response:
        _receive(source, part, response, advance)


def _reason(cause: object) -> str:
    if isinstance(cause, TimeoutError):
        return f"no answer after {TIMEOUT_S:.0f} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _open(source: Source, part: _Part) -> http.client.HTTPResponse:
    # With an encoding such as gzip, byte positions would be those of the compressed file.
    headers = {"User-Agent": "serbench", "Accept-Encoding": "identity"}
    if offset := part.size_bytes():
        headers["Range"] = f"bytes={offset}-"
        if validator := part.validator():
            headers["If-Range"] = validator  # sends the whole file if it has changed
    request = urllib.request.Request(source.url, headers=headers)  # noqa: S310 - checked in fetch
    return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310


def _settle_whole_part(part: _Part, content_range: str) -> None:
    """Check a part after which the server has no more bytes: it is complete, or of another file."""
    match = CONTENT_RANGE.match(content_range)
    if match and match[2] == str(part.size_bytes()):
        return
    part.discard()
    raise _CutError("the server cannot continue the download")


def _receive(
    source: Source, part: _Part, response: http.client.HTTPResponse, advance: Advance
) -> None:
    offset = _offset(response, part)
    length = response.headers.get("Content-Length")
    total = offset + int(length) if length and length.isdigit() else source.size_bytes
    if source.size_bytes is not None and total != source.size_bytes:
        part.discard()
        raise CorpusError(
            f"the server offers {total} bytes, but {source.size_bytes} are published: it is "
            "another file"
        )
    if total is not None:
        # The unpacked files need space, too: at least as much as the archive.
        needed = total - offset + (total if source.unpack else 0)
        check_space(part.file.parent, needed, f"for {source.file_name}")
    validator = _validator(response)
    part.validator_file.write_text(validator, encoding="latin-1")
    with part.file.open("ab" if offset else "wb") as file:
        received = _copy(response, file, offset, total, advance)
    if total is not None and received < total:
        raise _CutError(f"the connection was cut after {received} of {total} bytes")


def _offset(response: http.client.HTTPResponse, part: _Part) -> int:
    """Position at which the answer continues; 0 if the server sends the whole file anyway."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    match = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if not match or match[1] != str(part.size_bytes()):
        part.discard()
        raise _CutError("the server continues the download at the wrong place")
    return part.size_bytes()


def _validator(response: http.client.HTTPResponse) -> str:
    tag = response.headers.get("ETag", "")
    # A weak tag does not guarantee the same bytes.
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified", "")


def _copy(
    response: http.client.HTTPResponse,
    file: IO[bytes],
    offset: int,
    total: int | None,
    advance: Advance,
) -> int:
    received = offset
    while block := _read_block(response):
        file.write(block)
        received += len(block)
        advance(received, total or received)
    return received


def _read_block(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_reason(error)) from error


def _verify(source: Source, part: _Part) -> None:
    if source.checksum is None:
        return
    kind, _, declared = source.checksum.partition(":")
    if kind not in {"md5", "sha256"}:
        raise CorpusError(f"checksum {source.checksum!r} begins neither with md5: nor with sha256:")
    with part.file.open("rb") as file:
        # MD5 if the corpus's home publishes no other checksum: it only protects against damage.
        found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False))
    if found.hexdigest() != declared.lower():
        part.discard()
        raise CorpusError(
            f"the {kind} of the file is {found.hexdigest()}, but {declared} is published: the "
            "file was damaged in transfer or has been changed; serbench has deleted it"
        )
