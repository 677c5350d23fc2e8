"""A corpus's utterances under a condition.

Every draw is seeded by the utterance's id and the condition's family, so that all methods
receive the same audio on every machine, and an utterance has the same noise at every level. A curve
over levels thus shows only the effect of the level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from serbench.api import SerbenchError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.splits.records import Split, utterances_of
from serbench.running.plan.records import stable_seed
from serbench.studies.robustness.channel import gain, reverberate, room_response, telephone
from serbench.studies.robustness.conditions import Condition
from serbench.studies.robustness.noise import babble, mix_at_snr, pink_noise, white_noise
from serbench_runtime.audio.read import read_waveform
from serbench_runtime.waveform import Waveform

Voices = Mapping[str, Sequence[Utterance]]
"""Utterances by speaker, to make babble from."""

TALKERS = 4
"""Number of people who talk in babble."""


@dataclass(frozen=True, slots=True, eq=False)
class Perturbed:
    """A test utterance under a condition.

    Attributes:
        waveform: ``(samples,)`` float32 at 16 kHz, as long as the utterance.
        clipped: number of clipped samples.
        silent: the utterance is silent, so that noise has no level and was not added.
    """

    waveform: Waveform
    clipped: int = 0
    silent: bool = False


def voices_of(split: Split, table: CorpusTable) -> Voices:
    """The speakers whose voices make the babble for a fold's test utterances: those of its training
    side.

    A speaker who is tested in the fold is never among them.
    """
    tested = {utterance.speaker for utterance in utterances_of(split.test, table)}
    voices: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances_of(split.train, table):
        if utterance.speaker not in tested:
            voices[utterance.speaker].append(utterance)
    return dict(voices)


def perturb(utterance: Utterance, condition: Condition, voices: Voices) -> Perturbed:
    """Read an utterance and apply a condition to it.

    Args:
        utterance: an utterance of a test side.
        condition: the condition to apply.
        voices: voices of its fold, see ``voices_of``; used for babble only.

    Raises:
        CorpusError: a file can no longer be read.
        SerbenchError: the condition is babble, and there are no voices, or all of them are silent.
    """
    clean = read_waveform(utterance.path)
    generator = np.random.default_rng(stable_seed("robustness", utterance.id, condition.family))
    if condition.level is None:
        return Perturbed(telephone(clean) if condition.family == "8khz" else clean)
    if condition.family == "gain":
        return Perturbed(*gain(clean, condition.level))
    if condition.family == "room":
        return Perturbed(reverberate(clean, room_response(condition.level, generator)))
    if not clean.any():
        return Perturbed(clean, silent=True)
    noise = _noise(utterance, len(clean), condition, voices, generator)
    return Perturbed(mix_at_snr(clean, noise, condition.level))


def _noise(
    utterance: Utterance,
    samples: int,
    condition: Condition,
    voices: Voices,
    generator: np.random.Generator,
) -> Waveform:
    """The condition's noise ``(samples,)``, at any level."""
    if condition.family == "white":
        return white_noise(samples, generator)
    if condition.family == "pink":
        return pink_noise(samples, generator)
    if not voices:
        raise SerbenchError(
            f"no babble can be made for {utterance.id}: its fold has no training speaker other "
            "than those it tests; leave babble out with --condition"
        )
    said = [
        [read_waveform(each.path) for each in recordings]
        for recordings in draw_talkers(voices, utterance.duration_s, generator)
    ]
    return babble(said, samples, generator)


def draw_talkers(
    voices: Voices, duration_s: float, generator: np.random.Generator
) -> Iterator[list[Utterance]]:
    """Recordings of ``TALKERS`` talkers, each at least ``duration_s`` long if there are enough.

    Talkers are different speakers if there are enough speakers. Otherwise a speaker may be several
    talkers, with recordings that are drawn again each time.
    """
    order = generator.permutation(sorted(voices)).tolist()
    for speaker in islice(cycle(order), TALKERS):
        recordings = voices[speaker]
        chosen: list[Utterance] = []
        for place in generator.permutation(len(recordings)):
            chosen.append(recordings[place])
            if sum(each.duration_s for each in chosen) >= duration_s:
                break
        yield chosen
