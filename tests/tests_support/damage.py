"""What disks, and killed or careless programs, do to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def turn_a_bit(path: Path, place: float = 0.5) -> None:
    """Turn one bit, somewhere between the file's begin (0) and its end (1)."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    """Leave half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    """Leave nothing of a file but its name."""
    path.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], None]] = {"bit": turn_a_bit, "cut": cut, "empty": empty}
