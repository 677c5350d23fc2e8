"""Recognises files whose content does not match their name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_LOOKED_AT = 4096
"""Number of bytes at the start of a file that are read to recognise its kind."""

_CONVERT = "convert it to WAV or FLAC, for instance with ffmpeg"
_UNPACK = "unpack it first"
_AGAIN = "download the file again, and check its address"

_Test = Callable[[bytes], object]


def _starts(*starts: bytes) -> _Test:
    return lambda head: head.startswith(starts)


def _fits(pattern: bytes) -> _Test:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE).match


_POINTERS: tuple[tuple[_Test, str, str], ...] = (
    (
        _starts(b"version https://git-lfs.github.com/spec/"),
        "a git-lfs pointer instead of the file itself",
        "run git lfs pull in its folder",
    ),
    (
        _fits(rb"[^\n]{0,400}/annex/objects/[^\n]+\n?\Z"),
        "a git-annex pointer instead of the file itself",
        "run git annex get in its folder",
    ),
    (_fits(rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head)"), "a web page", _AGAIN),
    (_fits(rb"(\xef\xbb\xbf)?\s*<\?xml"), "an XML document", _AGAIN),
    (_fits(rb'\s*\{\s*"(error|message|detail|status)"'), "a server's error message", _AGAIN),
)
"""Kinds that can replace any file: how to recognise one, its name, the remedy."""

_OTHERS: tuple[tuple[_Test, str, str], ...] = (
    (_starts(b"PK\3\4", b"PK\5\6"), "a ZIP archive", _UNPACK),
    (_starts(b"\x1f\x8b"), "a gzip archive", _UNPACK),
    (_starts(b"7z\xbc\xaf\x27\x1c"), "a 7z archive", _UNPACK),
    (_starts(b"Rar!\x1a\7"), "a RAR archive", _UNPACK),
    (_fits(rb".{257}ustar"), "a tar archive", _UNPACK),
    (_fits(rb".{4}ftypM4[AB]"), "M4A (AAC) audio", _CONVERT),
    (_fits(rb".{4}ftyp"), "MP4 (video, or AAC audio)", _CONVERT),
    (_starts(b"\x1a\x45\xdf\xa3"), "WebM or Matroska", _CONVERT),
    (_starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), "Windows Media (WMA)", _CONVERT),
    (_starts(b"#!AMR"), "AMR audio", _CONVERT),
    (_starts(b"\xff\xf1", b"\xff\xf9"), "AAC audio", _CONVERT),
    (_fits(rb"RIFF.{4}AVI "), "AVI video", _CONVERT),
    (_starts(b"\0\5\x16\7", b"\0\5\x16\0"), "metadata of macOS (AppleDouble)",
     "leave it out: the recording has the same name without ._"),
    (_starts(b"%PDF"), "a PDF document", _AGAIN),
    (_fits(rb"\0+\Z"), "nothing but zero bytes", "copy or download the file again"),
)  # fmt: skip
"""Kinds that can replace audio, in the same form."""


def stands_in(path: Path) -> str | None:
    """The kind of a pointer or web page that was downloaded instead of a file, and what to do.

    Returns:
        For instance ``a git-lfs pointer instead of the file itself; run git lfs pull in its
        folder``. None: it is none of these, or cannot be read.
    """
    return _told(path, _POINTERS)


def no_audio(path: Path) -> str | None:
    """As ``stands_in``; also recognises archives and kinds of audio that cannot be read."""
    return _told(path, (*_POINTERS, *_OTHERS))


def _told(path: Path, kinds: tuple[tuple[_Test, str, str], ...]) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT)
    except OSError:
        return None
    found = ((name, remedy) for test, name, remedy in kinds if head and test(head))
    return next((f"{name}; {remedy}" for name, remedy in found), None)
