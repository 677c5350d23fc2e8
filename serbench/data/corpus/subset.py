"""A part of a corpus for a first look: the same share of every speaker and class."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from serbench.api.corpus import UtteranceRecord
from serbench.data.corpus.table import CorpusTable
from serbench.errors import RegistryError

MARK = "SUBSET"
"""First word of the line under every table of a run on a subset."""


@dataclass(frozen=True, slots=True)
class Subset:
    """How much of each corpus a run uses.

    Attributes:
        limit: greatest number of utterances of each corpus; None: no limit.
        fraction: share of each corpus; None: no share.
    """

    limit: int | None = None
    fraction: float | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            RegistryError: both or neither are given, or a value is out of range.
        """
        if (self.limit is None) == (self.fraction is None):
            raise RegistryError("give --limit N or --fraction F, not both")
        if self.limit is not None and self.limit < 2:
            raise RegistryError(f"--limit {self.limit}: must be at least 2 utterances")
        if self.fraction is not None and not 0.0 < self.fraction < 1.0:
            raise RegistryError(
                f"--fraction {self.fraction:g}: must be between 0 and 1, such as 0.1 for a tenth"
            )

    @property
    def name(self) -> str:
        """``limit-100``, ``fraction-0.1``; part of the dataset's name."""
        return f"limit-{self.limit}" if self.limit else f"fraction-{self.fraction:g}"

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('-', ' ')}"

    def describe(self) -> dict[str, object]:
        """The subset as JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, described: Mapping[str, object] | None) -> Subset | None:
        """The subset from the result of ``describe``; None: the whole corpus."""
        return cls(**described) if described else None  # pyright: ignore[reportArgumentType]

    def choose(
        self, records: Sequence[UtteranceRecord], labels: Collection[str]
    ) -> tuple[UtteranceRecord, ...]:
        """The records that are used, in their order; the same ones on every machine.

        Records with a label of ``labels`` are sorted by side of the corpus's own split, speaker and
        class, and every k-th of them is chosen. So each class of a speaker has its share, rounded
        up or down. Within a class of a speaker, a hash of the ids gives the order.
        """
        usable = [record for record in records if record.label in labels]
        wanted = self.limit or math.ceil(len(usable) * (self.fraction or 1.0))
        if wanted >= len(usable):
            return tuple(usable)
        ordered = sorted(usable, key=_place)
        chosen = {ordered[(2 * n + 1) * len(ordered) // (2 * wanted)].id for n in range(wanted)}
        return tuple(record for record in usable if record.id in chosen)

    def marked(self, table: CorpusTable, whole: int) -> CorpusTable:
        """The table of the chosen records, with a card and ``made`` that say that it is a subset.

        Args:
            table: the table as it was loaded.
            whole: number of utterances of the whole corpus.
        """
        card, count = table.card, len(table.utterances)
        left = {table.unit_of(utterance) for utterance in table.utterances}
        card = replace(
            card,
            title=f"{card.title}, {MARK.lower()} of {count} utterances",
            names=(card.title, *card.names),
            fold_sets={
                key: tuple(tuple(unit for unit in fold if unit in left) for fold in folds)
                for key, folds in card.fold_sets.items()
            },
            utterances=None,
            per_label={},
            per_speaker={},
        )
        said = (
            f"{MARK}: {count} of {whole} utterances of {table.name}, chosen by speaker and class "
            f"({self.option}); not comparable with results on the whole corpus."
        )
        return replace(table, card=card, made=(*table.made, said))


def _place(record: UtteranceRecord) -> tuple[str, str, str, str]:
    chance = hashlib.sha256(record.id.encode()).hexdigest()
    return record.official or "", record.speaker, record.label, chance
