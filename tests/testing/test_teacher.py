from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from serbench.api import Params, Teacher, TeacherCard, TeacherFeatures
from serbench.testing import check_teacher


class Energies(Teacher):
    """Energies of 10 ms frames: all a teacher must be."""

    name: ClassVar[str] = "energies"
    Params = Params
    card = TeacherCard("Energies", "CC0-1.0", "https://example.org", "none")  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    frame_rate_hz = 100.0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    model_digest = "none"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def load(self, device: torch.device) -> None:
        pass

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        features: list[TeacherFeatures] = []
        for waveform in waveforms:
            frames = waveform.unfold(0, 160, 160).square()[None]  # (1, F, 160)
            pooled = torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1)
            features.append(TeacherFeatures(pooled, frames))
        return features


class Shuffled(Energies):
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        return list(super().embed(waveforms))[::-1]


class Padded(Energies):
    """Sees its utterances padded to the longest of the batch."""

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        longest = max(len(waveform) for waveform in waveforms)
        padded = [
            torch.nn.functional.pad(waveform, (0, longest - len(waveform)))
            for waveform in waveforms
        ]
        whole = super().embed(padded)
        return [
            replace(feature, frames=feature.frames[:, : len(waveform) // 160])
            for feature, waveform in zip(whole, waveforms, strict=True)
        ]


class Random(Energies):
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        return [
            replace(feature, pooled=feature.pooled + 1e-3 * torch.rand(1))
            for feature in super().embed(waveforms)
        ]


class Meddling(Energies):
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        for waveform in waveforms:
            waveform.mul_(0.5)
        return super().embed(waveforms)


class Doubles(Energies):
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        return [replace(f, pooled=f.pooled.double()) for f in super().embed(waveforms)]


class Careless(Energies):
    card = TeacherCard("Energies", "", "https://example.org", "none")  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


def with_card(**facts: object) -> type[Teacher]:
    card = replace(Energies.card, **facts)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return type("Energies", (Energies,), {"card": card})


def test_a_good_teacher_passes() -> None:
    check_teacher(Energies)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (Shuffled, "0.6 s at 100 frames a second must give about 60 real frames, not 220"),
        (Padded, "embedding alone instead of in a batch changes pooled"),
        (Random, "embedding twice changes pooled"),
        (Meddling, "must not change its input"),
        (Doubles, r"pooled must be \(L, P\) float32"),
        (Careless, "the card's licence is empty"),
        (with_card(pretrained_on="TESS"), "the card's pretrained_on must be a tuple, not 'TESS'"),
        (
            with_card(pretrained_on=("TESS", "")),
            "pretrained_on has '', which is not the name of a corpus",
        ),
        (with_card(fine_tuned_on=("TESS", "TESS")), "the card's fine_tuned_on repeats a name"),
        (with_card(fine_tuned_on=None), "the card's fine_tuned_on must be a tuple, not None"),
        (with_card(undisclosed="yes"), "undisclosed must be True or False, not 'yes'"),
    ],
)
def test_a_broken_teacher_is_told(teacher: type[Teacher], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_teacher(teacher)
