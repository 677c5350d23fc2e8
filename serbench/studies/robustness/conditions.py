"""The conditions that a run's students and teachers are tested under, and how users name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.errors import SerbenchError

Family = Literal["clean", "white", "pink", "babble", "gain", "8khz", "room"]

SNRS_DB = (20.0, 15.0, 10.0, 5.0, 0.0)
GAINS_DB = (-20.0, -10.0, 10.0)
T60S_S = (0.3, 0.6, 1.0)

NOISES: tuple[Family, ...] = ("white", "pink", "babble")


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of disturbing every test utterance.

    Attributes:
        family: kind of disturbance.
        level: SNR or gain in dB, reverberation time in seconds; None if the family has no
            levels.
    """

    family: Family
    level: float | None = None

    @property
    def name(self) -> str:
        """Name as in ``--condition``: ``white@10``, ``gain@-20``, ``room@0.3``, ``8khz``."""
        return self.family if self.level is None else f"{self.family}@{self.level:g}"

    @property
    def is_noise(self) -> bool:
        """Whether its level is a signal-to-noise ratio."""
        return self.family in NOISES

    @property
    def short(self) -> str:
        """Short name next to others of its family: ``10 dB``, ``T60 0.3 s``."""
        if self.level is None:
            return {"8khz": "8 kHz"}.get(self.family, self.family)
        level = f"{self.level:g}".replace("-", "−")
        if self.family == "room":
            return f"T60 {level} s"
        return f"+{level} dB" if self.family == "gain" and self.level > 0 else f"{level} dB"


CLEAN = Condition("clean")

CONDITIONS: tuple[Condition, ...] = (
    CLEAN,
    *(Condition(noise, snr_db) for noise in NOISES for snr_db in SNRS_DB),
    *(Condition("gain", level_db) for level_db in GAINS_DB),
    Condition("8khz"),
    *(Condition("room", t60_s) for t60_s in T60S_S),
)


def choose_conditions(names: Sequence[str] = ()) -> tuple[Condition, ...]:
    """Conditions by name or by family, in their own order; all if none is named.

    ``clean`` is always among them, because all others are compared with it.

    Raises:
        SerbenchError: a name is unknown.
    """
    if not names:
        return CONDITIONS
    families = dict.fromkeys(condition.family for condition in CONDITIONS)
    known = {*families, *(condition.name for condition in CONDITIONS)}
    for name in names:
        if name not in known:
            raise SerbenchError(
                f"--condition {name}: unknown condition; give one of these, or one level of it: "
                f"{', '.join(_levels(family) for family in families)}"
            )
    chosen = {CLEAN.name, *names}
    return tuple(each for each in CONDITIONS if chosen & {each.name, each.family})


def _levels(family: str) -> str:
    """A family with its levels, for instance ``white (white@20, white@15, …)``."""
    named = [each.name for each in CONDITIONS if each.family == family]
    return family if named == [family] else f"{family} ({', '.join(named)})"
