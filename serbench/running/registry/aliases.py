"""Aliases of datasets: one dataset for each name, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from serbench.errors import RegistryError, did_you_mean, joined, near_names
from serbench.protocol.guard.corpus_names import canonical

Aliases = Mapping[str, tuple[str, ...]]
"""Type of a mapping from every dataset and corpus plugin to its aliases."""


def alias_key(name: str) -> str:
    """A name in lower case without separators and without the owner's name in front, as hubs write
    it.

    Example:
        >>> {alias_key(name) for name in ("emodb", "Emo-DB", "emo_db", "somebody/EmoDB")}
        {'emodb'}
    """
    return "".join(filter(str.isalnum, name.rpartition("/")[2].casefold()))


def called(name: str, aliases: Aliases) -> str | None:
    """The dataset with this name or alias; names take precedence over aliases.

    Raises:
        RegistryError: several datasets match, apart from case and separators.
    """
    if name in aliases:
        return name
    key = alias_key(name)
    own = [dataset for dataset in aliases if alias_key(dataset) == key]
    others = [dataset for dataset, names in aliases.items() if key in map(alias_key, names)]
    found = own or others
    if len(found) > 1:
        raise RegistryError(f"{name!r} may be {joined(sorted(found), 'or')}; write one of them")
    return found[0] if found and key else None


def shared(aliases: Aliases) -> Iterator[tuple[str, str, str]]:
    """Each alias that an earlier dataset also has, as a tuple of dataset, alias, and
    the earlier dataset.
    """
    first: dict[str, str] = {}
    for dataset, names in aliases.items():
        for name in names:
            if (other := first.setdefault(alias_key(name), dataset)) != dataset:
                yield dataset, name, other


def nearest(name: str, aliases: Aliases) -> str:
    """A clause with suggestions: the same corpus under another name, or similar names."""
    owners = {other: dataset for dataset, names in aliases.items() for other in (dataset, *names)}
    same = [dataset for dataset in aliases if canonical(dataset) == canonical(name)]
    near = same or [owners[other] for other in near_names(name, owners)]
    if near:
        return _asked(dict.fromkeys(near))
    return did_you_mean(name, aliases, "serbench list datasets")


def _asked(names: Iterable[str]) -> str:
    return f"; did you mean {joined(map(repr, names), 'or')}?"
