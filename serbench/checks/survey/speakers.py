"""Whether each speaker of a corpus sounds like one person: docs/speaker-labels.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serbench.checks.finding import Finding, Outcome, Unit
from serbench.checks.survey.alike import (
    Integers,
    Voices,
    make_voices,
    numbers,
    same_recording_area,
    same_voice_area,
    split_widths,
    told_apart,
)
from serbench.checks.survey.records import cut, plain_table
from serbench.checks.survey.sound import Sound
from serbench.data.corpus.table import Utterance
from serbench.errors import numbered
from serbench.results.table.table import Table

CHECK = "voices"

FEWEST_UTTERANCES = 100
FEWEST_SPEAKERS = 2
"""Fewer utterances: chance effects are as large as those of voices."""

HEARD = 0.8
"""Halves of one recording must be more alike than those of two at least this often, else voices
cannot be measured.
"""

NO_VOICE = 0.62
"""Utterances of one id must be more alike than those of two at least this often, else ids mean
nothing.
"""

ONE_VOICE = 0.58
"""Utterances of one id must reach this share of what halves of one recording reach above chance,
else some ids hold several voices.
"""

ENOUGH_SPEAKERS = 4
"""With fewer speakers, two similar voices dominate the comparison: no failure then, and no weak
voices.
"""

FEWEST_OF_A_PAIR = 15
FEWEST_OF_ONE = 30
"""Utterances that an id needs to be compared with another, and to be checked by itself."""

TOLD_APART = 0.72
"""If two ids are distinguished less often than this, by more than ``ERRORS`` standard errors, they
may be one person.
"""

ERRORS = 1.5

TWO_VOICES = 4.4
"""If two groups of an id's utterances are at least this many standard deviations apart, they may
be two people.
"""

OTHERS: Mapping[str, str] = {"text": "sentence", "session": "session", "take": "take"}
"""Fields that may have been confused with the speaker."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the voices of a corpus show about its speakers.

    Attributes:
        recording, speaker: how often halves of one recording, utterances of one speaker, are more
        alike than others; 0.5 by chance.
        closest: pairs of speakers and how often they are distinguished, the worst first.
        widest: speakers and how far their utterances separate into two groups, the worst first, and
            the two utterances that are furthest apart.
    """

    recording: float
    speaker: float
    closest: tuple[tuple[str, str, float], ...]
    widest: tuple[tuple[str, float, str, str], ...]


def check_voices(utterances: Sequence[Utterance], sounds: Mapping[str, Sound]) -> Finding:
    """Whether a speaker's utterances sound like one voice, and those of two speakers like two."""
    spoken = [u for u in utterances if sounds[u.id].voice is not None]
    names = sorted({u.speaker for u in spoken})
    if len(spoken) < FEWEST_UTTERANCES or len(names) < FEWEST_SPEAKERS:
        return Finding(
            CHECK,
            "not run",
            f"too little speech to compare voices: {numbered(len(spoken), 'utterance')} of "
            f"{numbered(len(names), 'speaker')}; {FEWEST_UTTERANCES} of {FEWEST_SPEAKERS} are "
            "needed",
        )
    ids = numbers([u.speaker for u in spoken])
    voices = _voices(spoken, sounds, [u.text for u in spoken])
    if same_voice_area(voices, ids) is None:  # each speaker has their own sentence
        voices = _voices(spoken, sounds, [None] * len(spoken))
    recording, speaker = same_recording_area(voices), same_voice_area(voices, ids)
    if speaker is None:
        return Finding(CHECK, "not run", "no speaker has utterances of two emotions to compare")
    if recording < HEARD:
        return Finding(
            CHECK,
            "not run",
            "voices cannot be compared: two halves of one recording are more alike than those "
            f"of two recordings in only {100 * recording:.0f} % of comparisons",
        )
    if speaker < NO_VOICE:
        return _no_voices(spoken, sounds, recording, speaker)
    closest, widest = _closest(voices, ids, names), _widest(voices, ids, names, spoken)
    heard = Heard(recording, speaker, tuple(closest), tuple(widest))
    return _finding(heard, Counter(u.speaker for u in spoken))


def _voices(
    spoken: Sequence[Utterance], sounds: Mapping[str, Sound], texts: Sequence[str | None]
) -> Voices:
    halves = np.stack([voice for u in spoken if (voice := sounds[u.id].voice) is not None])
    counts = Counter(texts)
    # A sentence that is said only once cannot distinguish utterances.
    shared = [text if counts[text] > 1 else None for text in texts]
    cells = [f"{u.label}\0{u.intensity or ''}" for u in spoken]
    return make_voices(halves, [u.label for u in spoken], cells, shared)


def _no_voices(
    spoken: Sequence[Utterance], sounds: Mapping[str, Sound], recording: float, speaker: float
) -> Finding:
    said = (
        "The speaker ids do not fit the voices: utterances of one id are more alike than those "
        f"of two in {_often(speaker)} of comparisons (chance: 50 %; halves of one recording: "
        f"{_often(recording)})."
    )
    for field, name in OTHERS.items():
        known = [getattr(u, field) for u in spoken]
        if None in known or len(set(known)) < ENOUGH_SPEAKERS:
            continue
        other = same_voice_area(_voices(spoken, sounds, [None] * len(spoken)), numbers(known))
        if other is not None and _like_one_voice(other, recording):
            said += (
                f" Utterances of one {name} are more alike in {_often(other)}: are the two swapped?"
            )
    remedy = (
        "Find out where the corpus stores the speaker, for instance in another part of the "
        "file names; `serbench corpus add` asks for it."
    )
    measured = {"same_recording": recording, "same_speaker": speaker}
    few = len({u.speaker for u in spoken}) < ENOUGH_SPEAKERS
    return Finding(CHECK, "warning" if few else "failed", said, remedy, numbers=measured)


def _like_one_voice(area: float, recording: float) -> bool:
    return area - 0.5 >= ONE_VOICE * (recording - 0.5)


def _closest(
    voices: Voices, ids: Integers, names: Sequence[str]
) -> Iterator[tuple[str, str, float]]:
    judged = _judged(ids, FEWEST_OF_A_PAIR)
    rows = np.isin(ids, judged)
    if len(judged) < 2:
        return
    within = Voices(
        voices.values[rows], voices.halves[rows], voices.emotions[rows], voices.sentences[rows]
    )
    apart = told_apart(within, np.searchsorted(judged, ids[rows]))
    one, other = np.triu_indices(len(judged), 1)
    shares = apart[one, other]
    for place in np.argsort(shares)[: np.sum(np.isfinite(shares))].tolist():
        first, second = int(judged[one[place]]), int(judged[other[place]])
        yield names[first], names[second], float(shares[place])


def _widest(
    voices: Voices, ids: Integers, names: Sequence[str], spoken: Sequence[Utterance]
) -> list[tuple[str, float, str, str]]:
    found = []
    for which, (width, place) in split_widths(voices, ids, _judged(ids, FEWEST_OF_ONE)).items():
        own = [u.id for u, n in zip(spoken, ids, strict=True) if n == which]
        one, other = own[int(np.argmin(place))], own[int(np.argmax(place))]
        found.append((names[which], width, one, other))
    return sorted(found, key=lambda each: -each[1])


def _judged(ids: Integers, fewest: int) -> Integers:
    which, counts = np.unique(ids, return_counts=True)
    return which[counts >= fewest]


def _finding(heard: Heard, counts: Mapping[str, int]) -> Finding:
    one_person = [
        (a, b, share)
        for a, b, share in heard.closest
        if share + ERRORS * 0.5 / np.sqrt(counts[a] + counts[b]) < TOLD_APART
    ]
    two_people = [each for each in heard.widest if each[1] >= TWO_VOICES]
    said = [
        f"Utterances of one speaker are more alike than those of two in {_often(heard.speaker)} "
        f"of comparisons (chance: 50 %; halves of one recording: {_often(heard.recording)})"
    ]
    remedies = []
    if not _like_one_voice(heard.speaker, heard.recording) and len(counts) >= ENOUGH_SPEAKERS:
        remedies.append(
            "If speakers are this hard to distinguish, an id may hold several people, such as "
            "both sides of a dialogue: listen to a few utterances of one id."
        )
    if one_person:
        said.append(f"{numbered(len(one_person), 'pair')} of speakers sound the same")
        remedies.append(
            "Listen to both speakers of a pair: one person under two names is on both sides of "
            "a fold."
        )
    if two_people:
        said.append(
            f"the utterances of {numbered(len(two_people), 'speaker')} separate into two voices"
        )
        remedies.append("Listen to one utterance of each part: is it one person?")
    outcome: Outcome = "warning" if remedies else "passed"
    units = [
        Unit(f"{a} ~ {b}", f"distinguished in {_often(share)}", {"told_apart": share})
        for a, b, share in one_person
    ]
    units += [
        Unit(name, f"two parts, such as {one} and {other}", {"width": width})
        for name, width, one, other in two_people
    ]
    measured = {"same_recording": heard.recording, "same_speaker": heard.speaker}
    return Finding(
        CHECK,
        outcome,
        "; ".join(said) + ".",
        " ".join(remedies),
        tuple(units),
        numbers=measured,
        tables=tuple(_tables(heard)),
    )


def _tables(heard: Heard) -> Iterator[Table]:
    if heard.closest:
        pairs = cut(((a, b, f"{100 * share:.0f}") for a, b, share in heard.closest), "pairs")
        columns = ("Speaker", "Other", "Distinguished %")
        yield plain_table("closest", "Speakers most alike", columns, pairs, ("Other",))
    if heard.widest:
        rows = ((name, f"{width:.1f}", one, other) for name, width, one, other in heard.widest)
        columns = ("Speaker", "Width", "One utterance", "Least similar")
        yield plain_table(
            "widest", "Speakers whose utterances differ most", columns, cut(rows, "speakers"),
            columns[2:],
        )  # fmt: skip


def _often(share: float) -> str:
    return f"{100 * share:.0f} %"
