"""Cleaning the cache: what is in it, what of it can go, and removing exactly that."""

from serbench.gc.choose import DAY_S, Choice, Rules, choose, parse_age
from serbench.gc.contents import Contents, Entry, scan
from serbench.gc.kinds import KINDS, NAMED_ONLY
from serbench.gc.references import referenced_keys
from serbench.gc.remove import Removed, remove

__all__ = [
    "DAY_S",
    "KINDS",
    "NAMED_ONLY",
    "Choice",
    "Contents",
    "Entry",
    "Removed",
    "Rules",
    "choose",
    "parse_age",
    "referenced_keys",
    "remove",
    "scan",
]
